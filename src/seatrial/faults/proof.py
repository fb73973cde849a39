"""What the faults share: identity of an injection, and the Observations that prove it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from seatrial import waiting
from seatrial.clients.looking import look
from seatrial.model.errors import BadInput, Problem
from seatrial.model.fault import Injection
from seatrial.model.observation import Json, Observation, Subject

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

Proof = dict[str, Json]
_OWN = re.compile(r"seatrial(-agent)?[-_][0-9a-f]{6}(-|-ledger|-path)?")


def new_injection(
    kind: str, parameters: Mapping[str, Json], subjects: Sequence[str], recipe: Mapping[str, Json]
) -> Injection:
    """Return an injection with an id of its own."""
    return Injection(
        id=f"i-{uuid.uuid4().hex[:12]}",
        fault=kind,
        parameters=dict(parameters),
        subjects=tuple(Subject(subject) for subject in subjects),
        recipe=dict(recipe),
    )


def took_hold(injection: Injection, ask: Callable[[], tuple[bool, Proof]]) -> Observation:
    """Return the Observation of whether the hurt is there, with its proof."""
    return _observed("fault.took_hold", "held", injection, ask)


def is_gone(injection: Injection, ask: Callable[[], tuple[bool, Proof]]) -> Observation:
    """Return the Observation of whether the hurt is over, with its proof."""
    return _observed("fault.is_gone", "gone", injection, ask)


def eventually(
    deployment: Deployment, budget: str, ask: Callable[[], tuple[bool, Proof]], *, every_s: float = 0.5
) -> tuple[bool, Proof]:
    """Ask until it is so or the named deadline has passed; the proof says how often and how long was asked."""
    polled = waiting.poll(ask, lambda seen: seen[0], within_s=seconds(deployment, budget), every_s=every_s)
    met, proof = polled.value
    return met, {**proof, "polls": polled.asked, "polled_s": round(polled.took_s, 3)}


def seconds(deployment: Deployment, budget: str) -> float:
    """Return a named deadline of this target."""
    return waiting.seconds(deployment.target.budgets, budget)


def own_name(recipe: Mapping[str, Json], key: str) -> str:
    """Return a name that the harness gave to something of its own; raises BadInput for any other.

    What is deleted is found by these names. A recipe that was damaged or edited must never reach anything else: an
    empty prefix would mean every project of the cloud.
    """
    value = recipe.get(key)
    if not isinstance(value, str) or not _OWN.fullmatch(value):
        raise BadInput([Problem(f"recipe.{key}", repr(value), "a name that seatrial has given (seatrial-<6 hex>)")])
    return value


def entries(recipe: Mapping[str, Json], key: str) -> list[dict[str, Any]]:
    """Return a list of mappings out of a recipe; an absent one is empty."""
    found = recipe.get(key)
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def entry(recipe: Mapping[str, Json], key: str) -> dict[str, Any]:
    """Return a mapping out of a recipe; an absent one is empty."""
    found = recipe.get(key)
    return dict(found) if isinstance(found, dict) else {}


def _observed(probe: str, word: str, injection: Injection, ask: Callable[[], tuple[bool, Proof]]) -> Observation:
    several = len(injection.subjects) != 1
    subject = Subject(f"injection/{injection.id}") if several else injection.subjects[0]

    def answer() -> Json:
        met, proof = ask()
        return {"injection": injection.id, "fault": injection.fault, word: met, **proof}

    return look(probe, subject, answer)
