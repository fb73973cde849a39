"""What can go wrong with a trial, by who must act on it; a misbehaving deployment is not an error but a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class SeatrialError(Exception):
    """Root of everything that the library raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in what a person wrote: where, what was found, what is accepted, the nearest known name."""

    where: str
    found: str
    accepted: str
    nearest: str | None = None

    def __str__(self) -> str:
        """Render the problem as the one line that a person reads."""
        hint = f"; did you mean {self.nearest!r}?" if self.nearest else ""
        return f"{self.where}: found {self.found}; accepted: {self.accepted}{hint}"


class BadInput(SeatrialError):
    """Raised when what the user wrote cannot be used; carries all problems at once. The user must act."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NotPermitted(SeatrialError):
    """Raised when the target's owner has not granted what was asked for. The owner must act."""


class Unreachable(SeatrialError):
    """Raised when the deployment or a tool could not be reached at all. Whoever runs the environment must act."""


class UndoFailed(SeatrialError):
    """Raised when a fault could not be taken back; carries the recipe for a human. An operator must act, now."""


class HarnessBug(SeatrialError):
    """Raised when the harness contradicts itself. We must act."""
