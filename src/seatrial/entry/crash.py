"""What is said when Seatrial itself fails: one line for a person, and the traceback in a file of its own."""

from __future__ import annotations

import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from seatrial.journal.sieve import shown


def told(error: BaseException, *, debug: bool) -> None:
    """Say on standard error that this is our mistake, and where its traceback is; with ``debug``, the traceback too."""
    trace = shown("".join(traceback.format_exception(error)))
    what = " ".join(shown(f"{type(error).__name__}: {error}").split())
    where = f"its traceback is in {kept}" if (kept := _keep(trace)) is not None else "no traceback could be written"
    advice = "if a trial was on, `seatrial undo RUN` takes back what it left; --debug shows the traceback"
    sys.stderr.write(f"seatrial: a mistake in Seatrial itself: {what}; {where}; {advice}\n")
    if debug:
        sys.stderr.write(trace)


def _keep(trace: str) -> Path | None:
    cache = os.environ.get("SEATRIAL_CACHE") or os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    folder = Path(cache) / ("" if "SEATRIAL_CACHE" in os.environ else "seatrial") / "tracebacks"
    place = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            stream.write(trace)
    except OSError:
        return None
    return place
