"""What a session keeps in hand: hurts and belongings that are in the deployment now, and the scenario that runs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from seatrial.model.fault import Fault, Injection
from seatrial.model.observation import Observation, ObservationId, Subject


class Kept(StrEnum):
    """Why something is in the deployment, and so how long it stays."""

    HURT = "hurt"
    SCENARIO = "scenario"
    """The harness's own, for one scenario."""
    RUN = "run"
    """The harness's own, for the whole run."""


F = TypeVar("F", bound=Fault)


@dataclass(frozen=True, slots=True)
class Disruption(Generic[F]):
    """A fault that is in the deployment now, until the session takes it back."""

    fault: F
    injection: Injection
    held: Observation
    """The proof that it took hold, or what was seen instead."""


@dataclass(slots=True, eq=False)
class Open:
    """Something that is in the deployment and has not been proven gone."""

    disruption: Disruption[Any]
    kept: Kept
    began: float | None = None
    """When its act began (monotonic), while nobody knows whether that has come to its end."""
    failed: bool = False
    """It could not be taken back once: it is tried again when the run ends."""


@dataclass(slots=True)
class Scope:
    """One scenario while it runs: what was observed in it is its evidence, and nothing else."""

    name: str
    observations: list[Observation] = field(default_factory=list)
    disruptions: int = 0
    attendants: ExitStack = field(default_factory=ExitStack)


def nothing_seen(injection: Injection) -> Observation:
    """Return what stands for the proof until there is one."""
    subject = injection.subjects[0] if injection.subjects else Subject(f"fault/{injection.fault}")
    return Observation(ObservationId(""), "fault.took_hold", subject, datetime.now(UTC), 0.0, error="not looked at yet")
