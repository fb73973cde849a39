"""What was to be done, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from seatrial.model.requirement import RequirementId
from seatrial.model.verdict import Verdict

FORMAT = 1
"""Of the run folder: what is read strictly (to judge) is of this format; undo reads any."""


COMPLETE = "complete"
"""The state of a run that came to its end."""


@dataclass(frozen=True, slots=True)
class NotTried:
    """A scenario that was selected and left out, and why."""

    scenario: str
    requirements: tuple[RequirementId, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run set out to do."""

    target: str
    """The target's name."""
    suite: str
    seed: int
    requirements: tuple[RequirementId, ...]
    scenarios: tuple[str, ...]
    grant: str
    budgets: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    not_tried: tuple[NotTried, ...] = ()
    """What the suite holds beside that, and was left out."""


@dataclass(frozen=True, slots=True)
class Run:
    """A plan, what it was done with, and how it ended."""

    id: str
    """Name of the run folder."""
    plan: Plan
    started_at: datetime
    ended_at: datetime | None
    versions: Mapping[str, str]
    verdicts: tuple[Verdict, ...]
    """One per requirement: merged over its scenarios."""
    state: str = "running"
    """running, complete, or cut short: why."""
    format: int = FORMAT
