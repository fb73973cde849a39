"""What the command line's exit status says (style guide, section 7)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from seatrial.model.errors import BadInput, HarnessBug, NotPermitted, SeatrialError, UndoFailed
from seatrial.model.run import COMPLETE, Run
from seatrial.model.verdict import Outcome, Verdict, merge


class Exit(IntEnum):
    """The ends of a command."""

    CONFORMS = 0
    VIOLATED = 1
    INCONCLUSIVE = 2
    BAD_INPUT = 3
    NOT_RESTORED = 4
    INTERNAL = 5
    """Seatrial itself failed: nothing is said about the deployment."""


def of_verdicts(verdicts: Iterable[Verdict]) -> Exit:
    """Return how a run with these verdicts ends; without any it ends *inconclusive*."""
    outcome = merge(verdict.outcome for verdict in verdicts)
    if outcome is Outcome.VIOLATES:
        return Exit.VIOLATED
    return Exit.INCONCLUSIVE if outcome is Outcome.INCONCLUSIVE else Exit.CONFORMS


def of_run(found: Run, *, left_behind: bool, failed: bool = False) -> Exit:
    """Return how a run ends: what is still hurt counts most, then whether Seatrial itself failed, then the verdicts."""
    if left_behind:
        return Exit.NOT_RESTORED
    if failed:
        return Exit.INTERNAL
    status = of_verdicts(found.verdicts)
    return Exit.INCONCLUSIVE if status is Exit.CONFORMS and found.state != COMPLETE else status


def of_error(error: SeatrialError) -> Exit:
    """Return how a command ends that this error stopped: by who has to act on it."""
    if isinstance(error, UndoFailed):
        return Exit.NOT_RESTORED
    if isinstance(error, HarnessBug):
        return Exit.INTERNAL
    return Exit.BAD_INPUT if isinstance(error, BadInput | NotPermitted) else Exit.INCONCLUSIVE
