"""Which instances a Selector means on one Inventory: a pure function of both and of the seed.

What may be hurt is not decided here but by the engine's gate (``engine.limits``); a choice only prefers, where it is
free, an instance that the gate will let pass.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from seatrial.model import limiting
from seatrial.model.errors import BadInput, NotPermitted, Problem
from seatrial.model.fault import Pick, Selector
from seatrial.model.inventory import Component, Inventory, Replica, Role
from seatrial.model.rights import Where
from seatrial.model.target import Limits

OPERATORS = limiting.OPERATORS
"""As a selector's component: every operator of the deployment, the meta-operator included."""
SELF_HEALING = frozenset({"StatefulSet", "Deployment", "DaemonSet"})
"""Kinds whose controller puts a lost pod back."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One instance, with the component it belongs to."""

    component: Component
    replica: Replica


def place(selector: Selector) -> Where:
    """Return where what the selector's component names has its pods."""
    return Where.OPERATORS if selector.component == OPERATORS else Where.CONTROL_PLANE


class Infeasible(NotPermitted):
    """Raised when a selection can't be made on this deployment without breaking a bound; says which."""


def components(selector: Selector, inventory: Inventory) -> tuple[Component, ...]:
    """Return what the selector's component names: a workload, all workloads of a service, or all operators."""
    if selector.component == OPERATORS:
        return tuple(operator.component for operator in inventory.operators)
    lasting = [c for c in inventory.components if c.role is not Role.JOB]
    exact = tuple(c for c in lasting if c.name == selector.component)
    return exact or tuple(c for c in lasting if c.service == selector.component)


def reason(selector: Selector, inventory: Inventory) -> str | None:
    """Return why nothing can be selected here, or None; no limits are looked at."""
    try:
        resolve(selector, inventory, seed=0)
    except (BadInput, Infeasible) as refusal:
        return str(refusal)
    return None


def resolve(selector: Selector, inventory: Inventory, *, seed: int, limits: Limits | None = None) -> tuple[Chosen, ...]:
    """Return the selected instances, sorted by name; never none.

    Shares are of what each component is meant to have: a minority of three is one, of two or one it is none, and a
    majority of three is two. ``limits``: where several would do, one that they do not forbid is preferred. Raises
    BadInput for a component that is not there, ``Infeasible`` when one of several that are meant yields nobody, or when
    *active* means several clusters.
    """
    found = components(selector, inventory)
    if not found:
        known = sorted({name for c in inventory.components if c.role is not Role.JOB for name in (c.service, c.name)})
        known = [name for name in known if name]
        nearest = get_close_matches(selector.component, known, n=1)
        raise BadInput(
            [
                Problem(
                    "fault.component",
                    repr(selector.component),
                    f"one of {', '.join(known) or 'nothing: no component was found'}",
                    nearest[0] if nearest else None,
                )
            ]
        )
    # Sorted first, so that the choice does not depend on the order in which a platform lists its pods.
    dice = random.Random(seed)
    if selector.pick is Pick.NAMED:
        chosen = _named(selector, found)
    elif selector.pick is Pick.ONE:
        chosen = _one(found, dice, limits)
    else:
        chosen = _shares(selector, found, inventory, dice, limits)
    if not chosen:
        raise Infeasible(f"{selector.pick.value} of {selector.component} is nobody here ({_sizes(found)})")
    return tuple(sorted(chosen, key=_name))


def first_cluster(inventory: Inventory, role: Role) -> Component | None:
    """Return the control plane's own database or broker: of no cell, and the first by its resource's name.

    The harness's own schema and queue are made in the same one, so that what is lost is what the ledger is kept in.
    """
    clusters = [c for c in inventory.of_role(role) if c.kind in SELF_HEALING]
    return min(clusters, key=lambda c: (c.cell is not None, c.owners[0].name if c.owners else c.name), default=None)


def active(component: Component, inventory: Inventory) -> Replica | None:
    """Return the instance that a Service sends all its clients to, when some Service singles one out.

    Galera's client Service selects one pod by name (rhoso-topology, section 4.1); a Redis one selects its master.
    A Service that has only one backend because the others are down, or that belongs to one instance for good (one
    Service per pod), is not meant: its selector would match all, or its name ends in the pod's.
    """
    if len(component.replicas) == 1:
        return component.replicas[0]
    by_name = {replica.name: replica for replica in component.replicas}
    for service in sorted(inventory.services, key=lambda s: s.name):
        if service.namespace != component.namespace or len(service.backends) != 1 or not service.selector:
            continue
        singled = by_name.get(service.backends[0])
        if singled is None or service.name == singled.name:
            continue
        matching = [r for r in component.replicas if service.selector.items() <= r.labels.items()]
        if len(matching) == 1:
            return singled
    return None


def _named(selector: Selector, found: Sequence[Component]) -> list[Chosen]:
    pool = _pool(found)
    chosen = [one for one in pool if one.replica.name == selector.name]
    if not chosen:
        accepted = ", ".join(one.replica.name for one in pool) or "nothing: it has no instances"
        nearest = get_close_matches(selector.name or "", [one.replica.name for one in pool], n=1)
        raise BadInput([Problem("fault.name", repr(selector.name), accepted, nearest[0] if nearest else None)])
    return chosen


def _one(found: Sequence[Component], dice: random.Random, limits: Limits | None) -> list[Chosen]:
    ready = [one for one in _pool(found) if one.replica.ready]
    free = _unprotected(ready, limits)
    spared = [one for one in free if _has_to_spare(one.component, limits)]
    pool = spared or free or ready
    return [dice.choice(pool)] if pool else []


def _shares(
    selector: Selector, found: Sequence[Component], inventory: Inventory, dice: random.Random, limits: Limits | None
) -> list[Chosen]:
    """Return each component's share; what is scaled to nothing on purpose has none to give."""
    meant = sorted((c for c in found if c.desired or c.replicas), key=lambda c: c.name)
    if selector.pick is Pick.ACTIVE:
        meant = [c for c in meant if c.kind in SELF_HEALING] or meant
        if len(meant) > 1:
            names = ", ".join(c.name for c in meant)
            raise Infeasible(f"{selector.component} has several that may have an active one; choose from: {names}")
    chosen: list[Chosen] = []
    for component in meant:
        share = _of(selector, component, inventory, dice, limits)
        if not share:
            raise Infeasible(f"{selector.pick.value} of {component.name} is nobody here ({_sizes([component])})")
        chosen += share
    return chosen


def _of(
    selector: Selector, component: Component, inventory: Inventory, dice: random.Random, limits: Limits | None
) -> list[Chosen]:
    everyone = _pool([component])
    if selector.pick is Pick.ALL:
        return everyone
    if selector.pick is Pick.ACTIVE:
        singled = active(component, inventory)
        return [Chosen(component, singled)] if singled else []
    size = max(component.desired, len(everyone))
    share = (size - 1) // 2 if selector.pick is Pick.MINORITY else size // 2 + 1
    ready = [one for one in everyone if one.replica.ready]
    # What is down already is part of the share; taking it whole from the rest would make a majority of a minority.
    wanted = max(0, share - (size - len(ready))) if selector.pick is Pick.MINORITY else min(share, len(ready))
    wanted = min(wanted, len(ready))
    free = _unprotected(ready, limits)
    return dice.sample(free if len(free) >= wanted else ready, wanted)


def _pool(found: Sequence[Component]) -> list[Chosen]:
    return sorted((Chosen(c, r) for c in found for r in c.replicas), key=_name)


def _unprotected(pool: Sequence[Chosen], limits: Limits | None) -> list[Chosen]:
    if limits is None:
        return list(pool)
    words = [(one, limiting.words_of_replica(one.component, one.replica)) for one in pool]
    return [one for one, its in words if limiting.protection(limits, its) is None]


def _has_to_spare(component: Component, limits: Limits | None) -> bool:
    if limits is not None and limiting.named_limit(limits, component) is not None:
        return True
    return sum(replica.ready for replica in component.replicas) > 1


def _name(chosen: Chosen) -> str:
    return chosen.replica.name


def _sizes(found: Sequence[Component]) -> str:
    return ", ".join(f"{c.name}: {sum(r.ready for r in c.replicas)} of {c.desired} ready" for c in found)
