"""What the owner of a deployment allows: grants, how many may be down at once, and names that nobody touches. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase

from seatrial.model.inventory import Component, Inventory
from seatrial.model.observation import Subject
from seatrial.model.target import Grant, Limits, Target


def lacking_grant(target: Target, needed: Grant) -> str | None:
    """Return why an act that needs this grant may not be done, or None."""
    if target.grant.includes(needed):
        return None
    return f"target {target.name!r} grants {target.grant.value}; this needs {needed.value}"


def over_limit(
    limits: Limits, inventory: Inventory, wanted: Iterable[Subject], already: Iterable[Subject] = ()
) -> str | None:
    """Return why these subjects may not be hurt on top of those that are hurt already, or None.

    Only instances of the deployment's components count; what the harness made itself is nobody else's.
    """
    everything = (*inventory.components, *(operator.component for operator in inventory.operators))
    owners = {Subject(replica.subject): component for component in everything for replica in component.replicas}
    wanted_set = set(wanted)
    for subject in sorted(wanted_set):
        pattern = _protection(limits, subject, owners.get(subject))
        if pattern is not None:
            return f"{subject} is protected by {pattern!r}"
    down = Counter(owners[subject].name for subject in wanted_set | set(already) if subject in owners)
    for name in sorted({owners[subject].name for subject in wanted_set if subject in owners}):
        if down[name] > limits.allowed(name):
            return f"{down[name]} of {name} would be down at once; the limit is {limits.allowed(name)}"
    return None


def _protection(limits: Limits, subject: Subject, component: Component | None) -> str | None:
    names = {str(subject), str(subject).rpartition("/")[2]}
    if component is not None:
        names |= {component.name, component.service, component.subject}
    return next((p for p in limits.protected if any(fnmatchcase(name, p) for name in names)), None)
