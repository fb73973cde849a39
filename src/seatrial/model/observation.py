"""What was seen, and the closed set of it that a check may look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType, TypeAlias

from seatrial.model.inventory import Inventory
from seatrial.model.requirement import RequirementId

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Subject = NewType("Subject", str)
"""Who an observation is about: ``pod/<namespace>/<name>``, ``service/<namespace>/<name>``, ``requirement/<id>``, ..."""
ObservationId = NewType("ObservationId", str)


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at one thing: the value seen, or the error that kept it from being seen; never both, never neither."""

    id: ObservationId
    probe: str
    subject: Subject
    asked_at: datetime
    """UTC."""
    took_s: float
    value: Json = None
    error: str | None = None
    excerpt: str = ""
    """The raw answer, shortened, without secrets."""

    @property
    def seen(self) -> bool:
        """Whether the probe could look at all."""
        return self.error is None


@dataclass(frozen=True, slots=True)
class Evidence:
    """The closed set of observations and facts that one check sees; it sees nothing else."""

    requirement: RequirementId
    inventory: Inventory
    observations: tuple[Observation, ...]
    budgets: Mapping[str, float] = field(default_factory=dict)
    """Named deadlines of the target, in seconds (``failover``, ``operator_reconcile``, ...)."""

    def of(self, probe: str) -> tuple[Observation, ...]:
        """Return the observations of one probe, in the order they were made."""
        return tuple(o for o in self.observations if o.probe == probe)

    def blind(self, *probes: str) -> tuple[Observation, ...]:
        """Return the observations of these probes that could not see."""
        return tuple(o for o in self.observations if o.probe in probes and not o.seen)
