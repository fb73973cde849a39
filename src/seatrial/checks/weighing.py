"""Findings gathered and weighed into one Verdict: violates before inconclusive before conforms, never a default."""

from __future__ import annotations

from seatrial.model.inventory import Inventory
from seatrial.model.observation import Evidence, Observation, ObservationId, Subject
from seatrial.model.verdict import Outcome, Verdict

WORKLOADS = frozenset({"pod", "deployment", "statefulset", "daemonset", "replicaset", "namespace"})
"""Kinds without which no component is known for sure."""
_NAMED = 4
"""How many findings one sentence can carry."""


class Weighing:
    """What a check found out so far. It lives inside one call of a check and is never shared."""

    def __init__(self, evidence: Evidence) -> None:
        self._requirement = evidence.requirement
        self._conforming: dict[Subject, None] = {}
        self._violating: dict[Subject, None] = {}
        self._faults: dict[str, None] = {}
        self._doubts: dict[str, None] = {}
        self._seen: dict[ObservationId, None] = {}

    @property
    def violates(self) -> bool:
        """Tell whether any culprit was found."""
        return bool(self._violating)

    def good(self, subject: str, *seen: Observation) -> None:
        """Note a subject that keeps the promise, and where that was seen."""
        self._conforming[Subject(subject)] = None
        self.saw(*seen)

    def bad(self, subject: str, why: str, *seen: Observation) -> None:
        """Note a culprit."""
        self._violating[Subject(subject)] = None
        self._faults[why] = None
        self.saw(*seen)

    def doubt(self, why: str, *seen: Observation) -> None:
        """Note something that could not be told."""
        self._doubts[why] = None
        self.saw(*seen)

    def saw(self, *seen: Observation) -> None:
        """Note that observations were looked at."""
        self._seen.update(dict.fromkeys(o.id for o in seen))

    def blind(self, *observations: Observation) -> None:
        """Note observations that could not see as doubts."""
        for observation in observations:
            self.doubt(f"{observation.probe} of {observation.subject} could not see: {observation.error}", observation)

    def gaps(self, inventory: Inventory, *kinds: str) -> None:
        """Note as doubts what discovery could not read of the workloads and of these kinds."""
        for gap in inventory.gaps:
            kind = gap.subject.split("/")[0].split(".")[0]
            if kind in WORKLOADS or kind in {wanted.lower() for wanted in kinds}:
                self.doubt(f"discovery could not read {gap.subject}: {gap.why}")

    def verdict(self, conforms_because: str) -> Verdict:
        """Return the judgement; ``conforms_because`` is said when nothing speaks against it."""
        if self._violating and self._seen:
            return self._as(Outcome.VIOLATES, _sentence(self._faults))
        if self._violating:
            # A culprit that no observation shows is hearsay from the inventory.
            return self._as(Outcome.INCONCLUSIVE, f"no observation shows it: {_sentence(self._faults)}")
        if self._doubts:
            return self._as(Outcome.INCONCLUSIVE, _sentence(self._doubts))
        if not self._conforming or not self._seen:
            return self._as(Outcome.INCONCLUSIVE, "nothing was seen that could keep or break the promise")
        return self._as(Outcome.CONFORMS, conforms_because)

    def _as(self, outcome: Outcome, because: str) -> Verdict:
        conforming = tuple(s for s in self._conforming if s not in self._violating)
        return Verdict(self._requirement, outcome, because, conforming, tuple(self._violating), tuple(self._seen))


def not_applicable(evidence: Evidence, because: str) -> Verdict:
    """Return that a promise does not apply, for a reason that is a fact of the inventory."""
    return Verdict(evidence.requirement, Outcome.NOT_APPLICABLE, because)


def _sentence(parts: dict[str, None]) -> str:
    said = list(parts)
    more = f"; and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
    return "; ".join(said[:_NAMED]) + more


def listed(names: list[str]) -> str:
    """Return names as part of a sentence, a long list shortened."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
