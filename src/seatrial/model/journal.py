"""What is written down while a trial runs; the writer is in ``seatrial.journal``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from seatrial.model.observation import Json


class EventKind(StrEnum):
    """The closed list of things that happen in a trial."""

    PHASE = "phase"
    """{name, scenario?}: a stretch of the run begins."""
    INVENTORY = "inventory"
    """{file}: a snapshot was stored."""
    OBSERVATION = "observation"
    """An Observation, whole."""
    EVIDENCE = "evidence"
    """{requirement, scenario, inventory, observations}: the closed set that a check saw."""
    VERDICT = "verdict"
    """A Verdict, whole, with the scenario it belongs to."""
    PREPARED = "prepared"
    """An Injection, whole: written before the deployment is touched."""
    INJECTING = "injecting"
    INJECTED = "injected"
    UNDOING = "undoing"
    UNDONE = "undone"
    """{injection}: the five verbs, in the order they happen; the last only after the hurt is proven gone."""
    UNDO_FAILED = "undo_failed"
    LOAD = "load"
    """{t, users, requests, failures, p50_ms, p95_ms}: figures of one interval of load; ``t`` is UTC."""
    PATH = "path"
    """{path, from, to, outcome, detail}: a stretch during which a measured path answered, or did not."""
    ENDED = "ended"
    """{reason}: the run is complete."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the journal."""

    seq: int
    at_utc: datetime
    mono_s: float
    """Monotonic clock of the process that wrote it."""
    process: int
    kind: EventKind
    data: Mapping[str, Json]
