"""What a deployment promises."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

RequirementId = NewType("RequirementId", str)
"""For example ``DB-5``; never reused for another promise."""


class Level(StrEnum):
    """How strongly the source states the promise."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a promise comes from."""

    document: str
    section: str


@dataclass(frozen=True, slots=True)
class Requirement:
    """One promise, in our own words, with its source, the evidence it needs and the deviations it is proven on."""

    id: RequirementId
    promise: str
    level: Level
    sources: tuple[Source, ...]
    evidence: tuple[str, ...]
    not_seen: str
    """What the check does not see: printed beside every verdict."""
    violations: tuple[str, ...]
    """Names of the lab's deviations on which the check must say *violates*."""
