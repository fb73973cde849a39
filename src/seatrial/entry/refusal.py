"""Why a trial was refused: all of it at once, and passed from the process that runs it to the one that started it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seatrial.entry.exit_status import Exit, of_error
from seatrial.journal.folder import save_text
from seatrial.journal.sieve import shown
from seatrial.model.errors import BadInput, Problem, SeatrialError


@dataclass(frozen=True, slots=True)
class Refusal:
    """The message for a person, and the exit status that goes with it."""

    status: Exit
    message: str


class Refused(SeatrialError):
    """Raised when another process of ours has refused to begin; carries what it said."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        super().__init__(refusal.message)


def write(path: Path, error: SeatrialError) -> None:
    """Leave a refusal where the command looks for it."""
    save_text(path, json.dumps({"status": int(of_error(error)), "message": shown(str(error))}))


def read(path: Path) -> Refusal | None:
    """Return the refusal that was left, if there is one."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Refusal(Exit(data["status"]), str(data["message"]))


@contextmanager
def gathering(problems: list[Problem]) -> Iterator[None]:
    """Add what is wrong with one part of the input to the list, and let the other parts be looked at as well."""
    try:
        yield
    except BadInput as error:
        problems += error.problems
