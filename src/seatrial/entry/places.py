"""Where runs are stored: checked before anything is done, told and sealed when it is done."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from seatrial.entry import crash
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


def tell(folder: RunFolder) -> bool:
    """Write everything that people read of a run; whether that went well must not decide what else is said of it.

    A run that undo can read may hold less than a report needs: that is no mistake.
    """
    from seatrial.reporting import write_all  # noqa: PLC0415  (drawing is loaded only when a run has ended)

    with suppress(BadInput):
        return _well(lambda: write_all(folder.path))
    return True


def seal(folder: RunFolder) -> bool:
    """Write the hashes of all files of a run, the very last thing; tell whether that went well."""
    from seatrial.reporting import seal as write  # noqa: PLC0415

    return _well(lambda: write(folder.path))


def _well(act: Callable[[], None]) -> bool:
    try:
        act()
    except BadInput:
        raise
    except Exception as error:  # a mistake of ours, or a full disk, says nothing about the deployment
        crash.told(error, debug=False)
        return False
    return True


def stored(path: Path, *, journal_alone: bool = False) -> RunFolder:
    """Return the stored run that a person means: its folder, or any file that lies directly in it."""
    return RunFolder.open(path.parent if path.is_file() else path, journal_alone=journal_alone)
