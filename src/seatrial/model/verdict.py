"""How one promise fared on one body of evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from seatrial.model.errors import HarnessBug
from seatrial.model.observation import ObservationId, Subject
from seatrial.model.requirement import RequirementId


class Outcome(StrEnum):
    """The four ends of a judgement; there is no default, and none of them is a boolean."""

    NOT_APPLICABLE = "not_applicable"
    CONFORMS = "conforms"
    INCONCLUSIVE = "inconclusive"
    VIOLATES = "violates"

    def __bool__(self) -> bool:
        """Refuse: *inconclusive* is neither true nor false."""
        msg = f"an outcome ({self.value}) is not a boolean; compare it with an Outcome"
        raise TypeError(msg)

    @property
    def weight(self) -> int:
        """Return its place in ``violates > inconclusive > conforms > not_applicable``."""
        return list(Outcome).index(self)


def merge(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the greatest outcome; of nothing, *inconclusive*: no evidence is never a pass."""
    return max(outcomes, key=lambda outcome: outcome.weight, default=Outcome.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Judgement of one requirement on one body of evidence."""

    requirement: RequirementId
    outcome: Outcome
    because: str
    """One sentence that names the subjects."""
    conforming: tuple[Subject, ...] = ()
    violating: tuple[Subject, ...] = ()
    seen: tuple[ObservationId, ...] = ()
    """Never empty for conforms or violates."""

    def __post_init__(self) -> None:
        """Refuse a verdict that rests on nothing, or a violation without a culprit."""
        if self.outcome in (Outcome.CONFORMS, Outcome.VIOLATES) and not self.seen:
            msg = f"{self.requirement}: {self.outcome.value} without an observation"
            raise HarnessBug(msg)
        if self.outcome is Outcome.VIOLATES and not self.violating:
            msg = f"{self.requirement}: violates without naming a subject"
            raise HarnessBug(msg)
