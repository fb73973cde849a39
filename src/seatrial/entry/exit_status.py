"""What the command line's exit status says (style guide, section 7)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from seatrial.model.errors import BadInput, NotPermitted, SeatrialError, UndoFailed
from seatrial.model.verdict import Outcome, Verdict, merge


class Exit(IntEnum):
    """The five ends of a command."""

    CONFORMS = 0
    VIOLATED = 1
    INCONCLUSIVE = 2
    BAD_INPUT = 3
    NOT_RESTORED = 4


def of_verdicts(verdicts: Iterable[Verdict]) -> Exit:
    """Return how a run with these verdicts ends; without any it ends *inconclusive*."""
    outcome = merge(verdict.outcome for verdict in verdicts)
    if outcome is Outcome.VIOLATES:
        return Exit.VIOLATED
    return Exit.INCONCLUSIVE if outcome is Outcome.INCONCLUSIVE else Exit.CONFORMS


def of_error(error: SeatrialError) -> Exit:
    """Return how a command ends that this error stopped: by who has to act on it."""
    if isinstance(error, UndoFailed):
        return Exit.NOT_RESTORED
    return Exit.BAD_INPUT if isinstance(error, BadInput | NotPermitted) else Exit.INCONCLUSIVE
