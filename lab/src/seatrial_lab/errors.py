"""What can keep the lab from standing, by who must act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class LabError(Exception):
    """Root of what the lab raises on purpose; the command line prints its text, without a traceback."""


@dataclass(frozen=True, slots=True)
class Lack:
    """One thing that the machine lacks, and what to do about it."""

    what: str
    remedy: str

    def __str__(self) -> str:
        """Render the two lines that a person reads."""
        return f"- {self.what}\n    {self.remedy}"


class CannotHost(LabError):
    """Raised when this machine cannot host the lab; carries everything that is lacking, at once."""

    def __init__(self, lacks: Sequence[Lack]) -> None:
        self.lacks = tuple(lacks)
        listed = "\n".join(str(lack) for lack in lacks)
        super().__init__(f"this machine cannot host the lab; nothing was touched.\n{listed}")


class AlreadyUp(LabError):
    """Raised when a lab stands here already."""


class BuildFailed(LabError):
    """Raised when something that a boot needs could not be built."""


class BootFailed(LabError):
    """Raised when a part did not come up within its time."""


class UnknownName(LabError):
    """Raised when a name that was given is not known; says which are."""
