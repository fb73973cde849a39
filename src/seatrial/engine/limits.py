"""The one gate: what the owner of a deployment allows, decided for every fault in one place. Pure.

Every subject of a fault is mapped to the instances that it takes away; what counts is what is *down now*, with what
this trial *has hurt* already, with what is *wanted* on top. What the harness itself put there is nobody's instance.
Names are matched as ``model.limiting`` says. An inventory that is stale makes every answer worthless: give a fresh one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seatrial.catalogue.document import nearest
from seatrial.engine.instances import Map, Taken, joined, parts_of
from seatrial.model import limiting
from seatrial.model.errors import Problem
from seatrial.model.fault import Injection, Pick
from seatrial.model.inventory import Component, Inventory, Role
from seatrial.model.target import Grant, Limits, Target

_SPARING = frozenset({Pick.ONE.value, Pick.ACTIVE.value, Pick.MINORITY.value})
"""Selections that mean to leave somebody standing."""
_RAFT_OWNER = "OVNDBCluster"


def lacking_grant(target: Target, needed: Grant) -> str | None:
    """Return why an act that needs this grant may not be done, or None."""
    if target.grant.includes(needed):
        return None
    return f"target {target.name!r} grants {target.grant.value}; this needs {needed.value}"


def refusal(
    target: Target,
    inventory: Inventory,
    wanted: Injection,
    open_: Sequence[Injection] = (),
    *,
    grant: Grant,
    breaks_quorum: bool = False,
) -> str | None:
    """Return why this injection may not be done on top of those that are open, or None.

    ``inventory``: as the deployment is now. ``grant``: what the fault needs. ``breaks_quorum``: the scenario means to
    cost a cluster its majority, and says so. What can't be told to be within the bounds is refused.
    """
    found = Map(inventory, target.namespaces)
    return (
        lacking_grant(target, grant)
        or next(filter(None, map(found.refusal, sorted(wanted.subjects))), None)
        or _protected(target.limits, found, wanted)
        or _too_many(target.limits, found, wanted, open_, breaks_quorum=breaks_quorum)
    )


def limit_problems(limits: Limits, inventory: Inventory) -> list[Problem]:
    """Return every name in ``max_down`` and ``protected`` that matches nothing of this deployment, with the nearest."""
    components = [*inventory.components, *(operator.component for operator in inventory.operators)]
    called = {limiting.EVERYTHING, *(name for c in components for name in limiting.names_of_component(c))}
    words = set(called)
    for component in components:
        for replica in component.replicas:
            words |= limiting.words_of_replica(component, replica)
        words |= limiting.words_of_component(component)
    for service in inventory.services:
        words |= limiting.words_of_service(service)
    words |= {word for node in inventory.nodes for word in (node.name, f"node/{node.name}")}
    words |= {word for resource in inventory.resources for word in (resource.name, resource.subject)}
    most = "a workload, its subject, or a service of this deployment, or '*'"
    touch = "a pattern for a subject, name, workload, service or label=value of this deployment"
    problems = [
        Problem(f"limits.max_down.{name}", f"{name!r}, which names nothing here", most, nearest(name, sorted(called)))
        for name in limits.max_down
        if name not in called
    ]
    return problems + [
        Problem("limits.protected", f"{pattern!r}, which matches nothing here", touch, nearest(pattern, sorted(words)))
        for pattern in limits.protected
        if not Map.may_be_unseen(pattern) and not limiting.matches(pattern, words)
    ]


def _protected(limits: Limits, found: Map, wanted: Injection) -> str | None:
    for subject in sorted(wanted.subjects):
        pattern = limiting.protection(limits, found.words(subject, wanted))
        if pattern is not None:
            return f"{subject} is protected: limits.protected has {pattern!r}"
    return None


@dataclass(frozen=True, slots=True)
class _State:
    """How many of one component would be down, of how many, if what is wanted were done."""

    component: Component
    meant: int
    down_now: int
    hurt: int
    down: int
    standing: int


def _too_many(
    limits: Limits, found: Map, wanted: Injection, open_: Sequence[Injection], *, breaks_quorum: bool
) -> str | None:
    takes = found.taken(wanted)
    has = joined(found.taken(injection) for injection in open_)
    touched = sorted(found.touched(takes), key=lambda component: component.subject)
    sparing = {
        component.subject
        for part in parts_of(wanted)
        if part.parameters.get("pick") in _SPARING
        for component in found.touched(found.taken(part))
    }
    for component in touched:
        state = _state(component, takes, has)
        why = _over(limits, state) or _last(limits, state, sparing=component.subject in sparing)
        if why is None and not breaks_quorum:
            why = _majority(limits, state)
        if why is not None:
            return why
    return None


def _state(component: Component, takes: Taken, has: Taken) -> _State:
    own = component.subject
    everyone = {replica.subject for replica in component.replicas}
    ready = {replica.subject for replica in component.replicas if replica.ready}
    lost_before, lost_now = has.unnamed[own], takes.unnamed[own]
    # A count that was lowered behind the operator's back is what the component was meant to have, less the fault.
    meant = 0 if component.role is Role.JOB else component.desired + lost_before
    leaving = min(lost_before, max(0, len(everyone) - component.desired))
    hurt, gone = has.named & everyone, (has.named | takes.named) & everyone
    standing = max(0, len(ready - gone) - leaving - lost_now)
    # Never less than what was hurt and what is wanted: instances to spare, or already replaced, make no allowance.
    least = len(gone) + has.absent[own] + lost_before + lost_now
    return _State(
        component=component,
        meant=meant,
        down_now=max(0, meant - len(ready - hurt)) if meant else 0,
        hurt=len(hurt) + has.absent[own] + lost_before,
        down=max(meant - standing, least),
        standing=standing,
    )


def _over(limits: Limits, state: _State) -> str | None:
    most = limiting.limit(limits, state.component)
    if state.down <= most:
        return None
    before = [f"{state.down_now} of {state.meant} down already"] if state.down_now else []
    before += [f"{state.hurt} of them by this trial"] if state.hurt else []
    told = f" ({', '.join(before)})" if before else ""
    return (
        f"{state.down} of {state.component.name} would be down at once{told}; "
        f"limits.max_down of the target allows {most}"
    )


def _last(limits: Limits, state: _State, *, sparing: bool) -> str | None:
    if not sparing or state.standing or limiting.named_limit(limits, state.component) is not None:
        return None
    name = state.component.name
    return f"nothing of {name} would be left: its last instance is only taken when limits.max_down names {name!r}"


def _majority(limits: Limits, state: _State) -> str | None:
    component = state.component
    if not _needs_majority(component) or state.standing * 2 > state.meant:
        return None
    if state.meant <= 1 and limiting.named_limit(limits, component) is not None:
        return None
    return (
        f"{component.name} would lose its majority ({state.standing} of {state.meant} would be left); "
        "only a scenario that says that it breaks the quorum may do that"
    )


def _needs_majority(component: Component) -> bool:
    """Tell whether the members decide by majority: Galera, RabbitMQ, OVN's databases (raft), etcd."""
    if component.kind != "StatefulSet":
        return False
    owners = {owner.kind for owner in component.owners}
    return component.role in (Role.DATABASE, Role.BROKER) or _RAFT_OWNER in owners or "etcd" in component.name
