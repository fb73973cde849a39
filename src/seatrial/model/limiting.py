"""What the names in a target's limits mean: which parts of a deployment they match. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from seatrial.model.inventory import Component, Replica, ServiceObject
from seatrial.model.target import Limits

EVERYTHING = "*"
OPERATORS = "operators"
"""Every operator of the deployment, as a selector's component and as a name in limits."""
_OF_OPERATORS = "operator"


def names_of_component(component: Component) -> frozenset[str]:
    """Return what a component is called in limits: its workload, its subject, its service."""
    more = {OPERATORS} if component.service == _OF_OPERATORS else set()
    return frozenset({component.name, component.subject, component.service, *more} - {""})


def words_of_component(component: Component) -> frozenset[str]:
    """Return what a pattern may match to protect a component: its names, and its labels as ``key=value``."""
    return names_of_component(component) | words_of_labels(component.labels)


def words_of_replica(component: Component, replica: Replica) -> frozenset[str]:
    """Return what a pattern may match to protect one instance: also all that protects its component."""
    own = frozenset({replica.name, replica.subject}) | words_of_labels(replica.labels)
    return own | words_of_component(component)


def words_of_service(service: ServiceObject) -> frozenset[str]:
    """Return what a pattern may match to protect a Service object."""
    own = {service.name, service.subject, service.service} - {""}
    return frozenset(own) | words_of_labels(service.labels)


def words_of_labels(labels: Mapping[str, str]) -> frozenset[str]:
    """Return labels as patterns match them: ``key=value``."""
    return frozenset(f"{key}={value}" for key, value in labels.items())


def matches(pattern: str, words: Iterable[str]) -> bool:
    """Tell whether a pattern means one of these: with a ``=`` it looks at labels, without one at names."""
    return any(("=" in pattern) == ("=" in word) and fnmatchcase(word, pattern) for word in words)


def protection(limits: Limits, words: Iterable[str]) -> str | None:
    """Return the pattern that protects something with these names and labels, or None."""
    listed = tuple(words)
    return next((pattern for pattern in limits.protected if matches(pattern, listed)), None)


def named_limit(limits: Limits, component: Component) -> int | None:
    """Return the strictest limit that names this component, or None where only ``*`` or nothing is said of it."""
    names = names_of_component(component)
    return min((most for name, most in limits.max_down.items() if name in names), default=None)


def limit(limits: Limits, component: Component) -> int:
    """Return how many instances of this component may be down at once; 1 where nothing is said."""
    named = named_limit(limits, component)
    return limits.max_down.get(EVERYTHING, 1) if named is None else named
