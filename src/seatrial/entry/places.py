"""Where runs are stored, checked before anything is done."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from seatrial.journal.folder import RunFolder
from seatrial.model.errors import BadInput, Problem


def check_out(out: Path, where: str = "--out") -> None:
    """Raise BadInput when no run folder can be made below ``out``."""
    accepted = "a folder that can be written to, or one that can be made"
    existing = next(place for place in (out.absolute(), *out.absolute().parents) if os.path.exists(place))  # noqa: PTH110  (it never raises)
    if not existing.is_dir():
        raise BadInput([Problem(f"{where} {out}", f"{existing} is a file", accepted)])
    if not os.access(existing, os.W_OK | os.X_OK):
        raise BadInput([Problem(f"{where} {out}", f"{existing} can't be written to", accepted)])


def require_ended(folder: RunFolder) -> None:
    """Raise BadInput when a run is still going on: what is written into it now would not stay as it is."""
    with folder.journal.open("rb") as journal:
        try:
            fcntl.flock(journal, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(
                [Problem(str(folder.path), "a run that is still going on", "a run that has ended")]
            ) from None


def stored(path: Path, *, journal_alone: bool = False) -> RunFolder:
    """Return the stored run that a person means: its folder, or any file that lies directly in it."""
    return RunFolder.open(path.parent if path.is_file() else path, journal_alone=journal_alone)
