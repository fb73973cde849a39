"""What the faults share: the identity of an injection, and reading its recipe."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from seatrial import waiting
from seatrial.model.errors import BadInput, Problem
from seatrial.model.fault import Injection
from seatrial.model.observation import Json, Subject

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

Proof = dict[str, Json]
_OWN = re.compile(r"seatrial(-agent)?[-_][0-9a-f]{6}(-|-ledger|-path)?")


def new_injection(
    kind: str,
    parameters: Mapping[str, Json],
    subjects: Sequence[str],
    recipe: Mapping[str, Json],
    *,
    costs: Mapping[str, int] | None = None,
    by_hand: Sequence[str] = (),
) -> Injection:
    """Return an injection with an id of its own."""
    return Injection(
        id=f"i-{uuid.uuid4().hex[:12]}",
        fault=kind,
        parameters=dict(parameters),
        subjects=tuple(Subject(subject) for subject in subjects),
        recipe=dict(recipe),
        costs=dict(costs or {}),
        by_hand=tuple(by_hand),
    )


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
