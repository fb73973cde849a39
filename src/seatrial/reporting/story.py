"""What a report tells, as values: no files, no drawing. ``telling`` makes a Story of a stored run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from seatrial.journal.reader import Judged
from seatrial.model.fault import Injection
from seatrial.model.inventory import Inventory
from seatrial.model.journal import Event
from seatrial.model.observation import Json, ObservationId, Subject
from seatrial.model.requirement import Requirement, RequirementId
from seatrial.model.run import Run
from seatrial.model.verdict import Outcome, merge

EQUIPMENT = frozenset(("agent_pod", "sql_schema", "broker_queue", "keystone_projects"))
"""Kinds of injection that hurt nobody: what the harness puts into a deployment to measure it, and takes away again."""


OUTAGE = "outage"
"""The probe that measures paths."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the run: what was being done, and for which scenario."""

    name: str
    scenario: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class FaultBand:
    """One fault from the moment its undo recipe was on disk until it was proven gone."""

    injection: Injection
    scenario: str
    prepared: datetime
    injected: datetime | None = None
    ended: datetime | None = None
    """When it was proven gone, or when undoing it failed; None when the run stopped first."""
    restored: bool = False
    undo_error: str | None = None
    """Why it could not be taken back; None once it was."""
    failed: str | None = None
    """The same, kept also when a later attempt took it back."""
    late: bool = False
    """Whether another process took it back, after the one that had put it there."""
    held: bool | None = None
    """What the proof said; None without one."""
    still_held: bool | None = None
    """What the last look before it was taken back said; None without one."""
    gone: bool | None = None

    @property
    def is_equipment(self) -> bool:
        """Tell whether this is no fault but something of the harness's own."""
        return self.injection.fault in EQUIPMENT

    @property
    def touched(self) -> datetime:
        """Return when the deployment began to be hurt; the preparation, when that is all there is."""
        return self.injected or self.prepared

    @property
    def fate(self) -> str:
        """Return in a word how it ended."""
        if self.undo_error is not None:
            return "undo failed"
        if self.restored:
            return "undone later" if self.late else "undone"
        return "not undone" if self.injected else "prepared only"


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch during which a path did not answer: from its last answer before to its first after."""

    path: str
    start: datetime
    end: datetime
    took_s: float
    detail: str = ""
    during: tuple[str, ...] = ()
    """Names of the faults that the deployment was under then."""


@dataclass(frozen=True, slots=True)
class Watch:
    """One measurement of one path over a stretch of time."""

    path: str
    start: datetime
    end: datetime
    resolution_s: float | None
    asked: int
    failed: int
    longest_s: float
    total_s: float
    blind_s: float
    observation: ObservationId | None

    @property
    def lasted_s(self) -> float:
        """Return for how long the path was measured."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Blind:
    """A stretch of a watch of which nothing is known."""

    path: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """The load's figures for one interval that ends at ``at``."""

    at: datetime
    rate: float
    """Requests per second."""
    failures: float
    """Failed requests per second."""
    p95_ms: float | None
    users: int


@dataclass(frozen=True, slots=True)
class Findings:
    """Operations that are not as they should be: how many, and the first of them in words."""

    count: int
    named: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What became of every operation of one kind."""

    kind: str
    acknowledged: int
    failed: int
    unknown: int
    found: Mapping[str, int]
    lost: Findings
    duplicated: Findings
    unexpected: Findings
    observation: ObservationId
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that nobody could look at, why, and how often that happened."""

    subject: str
    why: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement's line of the summary."""

    id: RequirementId
    requirement: Requirement | None
    """None when the catalogue of this version does not know it."""
    outcome: Outcome
    because: str
    conforming: tuple[Subject, ...]
    violating: tuple[Subject, ...]
    judged: tuple[Judged, ...]
    evidence: tuple[ObservationId, ...]
    """What its checks saw: first what the verdicts rest on."""
    watches: tuple[Watch, ...]
    """Paths that were measured for it, the worst of each."""

    @property
    def was_judged(self) -> bool:
        """Tell whether any verdict was reached: a requirement of the plan may have been left over."""
        return bool(self.judged)

    @property
    def about_outage(self) -> bool:
        """Tell whether the promise is about how long service is gone."""
        return bool(self.watches) or self.requirement is None or OUTAGE in self.requirement.evidence

    @property
    def promise(self) -> str:
        """Return what is promised."""
        return self.requirement.promise if self.requirement else "(not in this version's catalogue)"


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that the report tells of one run."""

    run: Run
    rows: tuple[Row, ...]
    phases: tuple[Phase, ...]
    faults: tuple[FaultBand, ...]
    equipment: tuple[FaultBand, ...]
    """What the harness put into the deployment for itself."""
    outages: tuple[Outage, ...]
    watches: tuple[Watch, ...]
    blind: tuple[Blind, ...]
    load: tuple[LoadPoint, ...]
    ledger: tuple[LedgerRow, ...]
    censuses: tuple[Mapping[str, Json], ...]
    unseen: tuple[Unseen, ...]
    inventory: Inventory | None
    events: int
    observed: Mapping[str, Event]
    """Observation id to the event that holds it."""
    first: datetime
    last: datetime
    ended: str | None
    """Why the run ended, as its journal has it; None when it stops without saying so."""
    place: str
    """The run's folder as a person types it who stands where the run was started: ``reports/<run>``."""
    target_file: str
    """The file that described the target, as seen from the run's folder; empty when that was not written down."""
    counts: Mapping[Outcome, int] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """Return the run's own outcome: the worst of its requirements, and never a pass for one that was cut short."""
        parts = [row.outcome for row in self.rows]
        return merge([*parts, Outcome.INCONCLUSIVE] if parts and not self.whole else parts)

    @property
    def whole(self) -> bool:
        """Tell whether the run came to its end."""
        return self.run.state == "complete"

    @property
    def everything(self) -> tuple[FaultBand, ...]:
        """Return all that was put into the deployment: faults, then the harness's own things."""
        return (*self.faults, *self.equipment)

    @property
    def open(self) -> tuple[FaultBand, ...]:
        """Return what was prepared and never proven to be gone, as ``seatrial undo`` sees it."""
        return tuple(band for band in self.everything if not band.restored)

    def accused(self) -> dict[str, list[str]]:
        """Return the subjects that verdicts name as violating, each with the requirements that do."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            if row.outcome is Outcome.VIOLATES:
                for subject in row.violating:
                    found.setdefault(subject, []).append(row.id)
        return found

    @property
    def worst_outage(self) -> Outage | None:
        """Return the longest outage of any path."""
        return max(self.outages, key=lambda outage: outage.took_s, default=None)
