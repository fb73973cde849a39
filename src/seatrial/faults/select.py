"""Which instances a Selector means on one Inventory: a pure function of both and of the seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from seatrial.model.errors import BadInput, NotPermitted, Problem
from seatrial.model.fault import Pick, Selector
from seatrial.model.inventory import Component, Inventory, Replica, Role
from seatrial.model.target import Limits

OPERATORS = "operators"
"""As a selector's component: every operator of the deployment, the meta-operator included."""
SELF_HEALING = frozenset({"StatefulSet", "Deployment", "DaemonSet"})
"""Kinds whose controller puts a lost pod back."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One instance, with the component it belongs to."""

    component: Component
    replica: Replica


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

    Shares are of what the component is meant to have: a minority of three is one, of two or one it is none, and a
    majority of three is two. What is down already counts against the limit: with one of three down and a limit of
    one, nothing more may be taken. Raises BadInput for a component that is not there, ``Infeasible`` when a bound
    forbids it.
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
    if selector.pick in (Pick.ONE, Pick.NAMED):
        pool = sorted((Chosen(c, r) for c in found for r in c.replicas), key=_name)
        chosen = _single(selector, pool, dice, limits)
    else:
        chosen = [one for c in sorted(found, key=lambda c: c.name) for one in _of(selector, c, inventory, dice)]
    if not chosen:
        raise Infeasible(f"{selector.pick.value} of {selector.component} is nobody here ({_sizes(found)})")
    if limits is not None:
        _bound(chosen, limits)
    return tuple(sorted(chosen, key=_name))


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


def _single(selector: Selector, pool: Sequence[Chosen], dice: random.Random, limits: Limits | None) -> list[Chosen]:
    if selector.pick is Pick.NAMED:
        chosen = [one for one in pool if one.replica.name == selector.name]
        if not chosen:
            accepted = ", ".join(one.replica.name for one in pool) or "nothing: it has no instances"
            nearest = get_close_matches(selector.name or "", [one.replica.name for one in pool], n=1)
            raise BadInput([Problem("fault.name", repr(selector.name), accepted, nearest[0] if nearest else None)])
        return chosen
    free = [one for one in pool if one.replica.ready and not (limits and one.replica.name in limits.protected)]
    return [dice.choice(free)] if free else []


def _of(selector: Selector, component: Component, inventory: Inventory, dice: random.Random) -> list[Chosen]:
    everyone = [Chosen(component, replica) for replica in sorted(component.replicas, key=lambda r: r.name)]
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
    return dice.sample(ready, min(wanted, len(ready)))


def _bound(chosen: Sequence[Chosen], limits: Limits) -> None:
    touched = [one.replica.name for one in chosen if one.replica.name in limits.protected]
    touched += [one.component.name for one in chosen if one.component.name in limits.protected]
    if touched:
        raise Infeasible(f"protected by the target's owner: {', '.join(sorted(set(touched)))}")
    for component in {one.component.subject: one.component for one in chosen}.values():
        taken = {one.replica.name for one in chosen if one.component is component}
        down = {replica.name for replica in component.replicas if not replica.ready}
        missing = max(0, component.desired - len(component.replicas))
        would = len(taken | down) + missing
        allowed = limits.allowed(component.name)
        if would > allowed:
            raise Infeasible(
                f"{would} of {component.name} would be down at once ({', '.join(sorted(taken))} taken, "
                f"{len(down) + missing} down already); limits.max_down allows {allowed}"
            )


def _name(chosen: Chosen) -> str:
    return chosen.replica.name


def _sizes(found: Sequence[Component]) -> str:
    return ", ".join(f"{c.name}: {sum(r.ready for r in c.replicas)} of {c.desired} ready" for c in found)
