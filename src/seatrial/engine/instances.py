"""What each subject of a fault takes away: pods, workloads, Services, nodes and other objects as instances. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from seatrial.journal.codec import decode
from seatrial.model import limiting
from seatrial.model.fault import Injection
from seatrial.model.inventory import Component, Inventory, Replica
from seatrial.model.target import Namespaces

_OWN_KINDS = frozenset({"database", "queue", "projects"})
_OWN_POD = re.compile(r"seatrial-agent-[0-9a-f]{6}")
_OWN_SERVICE = "harness"
_WITHOUT_INSTANCES = frozenset(
    {"configmap", "poddisruptionbudget", "secret", "serviceaccount", "persistentvolumeclaim", "networkpolicy"}
)
"""Kinds whose loss takes no instance away at once, and which discovery does not read."""
_WORKLOADS = frozenset({"deployment", "statefulset", "daemonset", "job"})
_FINISHED = frozenset({"Succeeded", "Failed"})

Instance = tuple[Component, Replica]


@dataclass(frozen=True, slots=True)
class Taken:
    """Instances that are taken away: by name, and in each component how many more that nobody can name yet."""

    named: frozenset[str] = frozenset()
    """Subjects of pods that are there."""
    unnamed: Counter[str] = field(default_factory=Counter)
    """By component: a count that is lowered lets the platform choose whom it takes."""
    absent: Counter[str] = field(default_factory=Counter)
    """By component: pods that were taken, and are not there any more."""


class Map:
    """The instances of one deployment, and what each subject has to do with them."""

    def __init__(self, inventory: Inventory, namespaces: Namespaces) -> None:
        everything = (*inventory.components, *(operator.component for operator in inventory.operators))
        self._spaces = (namespaces.control_plane, namespaces.operators)
        self._components = {component.subject: component for component in everything}
        self._pods: dict[str, Instance] = {r.subject: (c, r) for c in everything for r in c.replicas}
        self._services = {service.subject: service for service in inventory.services}
        self._resources = {resource.subject: resource for resource in inventory.resources}
        self._nodes = {f"node/{node.name}" for node in inventory.nodes}

    def refusal(self, subject: str) -> str | None:
        """Return why this subject can't be hurt at all: it is outside of the target, or nobody knows what it takes."""
        if self._is_ours(subject):
            return None
        kind, _, rest = subject.partition("/")
        namespace, slash, _ = rest.partition("/")
        if slash and namespace not in self._spaces:
            return f"{subject} is outside of the target's namespaces ({', '.join(dict.fromkeys(self._spaces))})"
        if self.instances(subject) is None and not (slash and kind in _WITHOUT_INSTANCES):
            return f"{subject} was not found in this deployment"
        return None

    def instances(self, subject: str) -> tuple[Instance, ...] | None:
        """Return the instances that are gone when this subject is; None for a subject that is not known."""
        kind = subject.partition("/")[0]
        if subject in self._pods:
            return (self._pods[subject],)
        if subject in self._components:
            component = self._components[subject]
            return tuple((component, replica) for replica in component.replicas)
        if subject in self._services:
            return self._behind(subject)
        if subject in self._resources:
            uid = self._resources[subject].uid
            return self._where(lambda one: any(owner.uid == uid for owner in one[0].owners))
        if kind == "node":
            name = subject.partition("/")[2]
            on_it = self._where(lambda one: one[1].node == name and one[1].phase not in _FINISHED)
            return on_it if on_it or subject in self._nodes else None
        return None

    def words(self, subject: str, injection: Injection) -> frozenset[str]:
        """Return all that a pattern may match to protect what this subject takes away or belongs to."""
        if self._is_ours(subject):
            return frozenset()
        words = {str(subject), subject.rpartition("/")[2]}
        for component, replica in self.instances(subject) or ():
            words |= limiting.words_of_replica(component, replica)
        if subject in self._components:
            words |= limiting.words_of_component(self._components[subject])
        if subject in self._services:
            service = self._services[subject]
            words |= limiting.words_of_service(service)
            # Also while nobody is behind it: whom it would select.
            for component in self._components.values():
                if service.selector and service.selector.items() <= component.labels.items():
                    words |= limiting.words_of_component(component)
        if self.instances(subject) is None:
            words |= self._likely_owners(subject) | _kept_words(subject, injection)
        return frozenset(words)

    def taken(self, injection: Injection) -> Taken:
        """Return what an injection takes away, or has taken."""
        named: set[str] = set()
        unnamed: Counter[str] = Counter()
        absent: Counter[str] = Counter()
        for subject in injection.subjects:
            if self._is_ours(subject):
                continue
            found = self.instances(subject)
            if found is None:
                maker = self._maker_of(subject)
                if maker is not None:
                    absent[maker.subject] += 1
                continue
            most = injection.costs.get(subject)
            for component in {one[0].subject: one[0] for one in found}.values():
                its = {replica.subject for owner, replica in found if owner is component}
                if most is None or most >= len(its):
                    named |= its
                else:
                    unnamed[component.subject] += most
        return Taken(frozenset(named), unnamed, absent)

    def touched(self, taken: Taken) -> tuple[Component, ...]:
        """Return the components that lose something."""
        subjects = {self._pods[pod][0].subject for pod in taken.named}
        subjects |= {subject for subject, count in (taken.unnamed + taken.absent).items() if count}
        return tuple(self._components[subject] for subject in sorted(subjects))

    @staticmethod
    def may_be_unseen(pattern: str) -> bool:
        """Tell whether a pattern names objects that discovery does not read, so that nobody can say it is wrong."""
        return pattern.partition("/")[0] in _WITHOUT_INSTANCES and pattern.count("/") == 2

    def _is_ours(self, subject: str) -> bool:
        """Tell whether it is something that the harness itself put there, or will put there now."""
        kind, _, rest = subject.partition("/")
        if kind in _OWN_KINDS:
            return True
        known = self._pods.get(subject)
        if known is not None:
            return known[0].service == _OWN_SERVICE
        namespace, _, name = rest.partition("/")
        return kind == "pod" and namespace == self._spaces[0] and _OWN_POD.fullmatch(name) is not None

    def _behind(self, subject: str) -> tuple[Instance, ...]:
        """Return whom a Service leads to: those that are ready, and those that would be if they were."""
        service = self._services[subject]

        def led_to(one: Instance) -> bool:
            replica = one[1]
            if replica.namespace != service.namespace or replica.phase in _FINISHED:
                return False
            selected = bool(service.selector) and service.selector.items() <= replica.labels.items()
            return selected or replica.name in service.backends

        return self._where(led_to)

    def _where(self, wanted: Callable[[Instance], bool]) -> tuple[Instance, ...]:
        return tuple(one for one in self._pods.values() if wanted(one))

    def _maker_of(self, subject: str) -> Component | None:
        """Return the workload that most likely made a pod that is not there any more: its name begins with it."""
        kind, _, rest = subject.partition("/")
        namespace, _, name = rest.partition("/")
        if kind != "pod":
            return None
        makers = [c for c in self._components.values() if c.namespace == namespace and name.startswith(f"{c.name}-")]
        return max(makers, key=lambda c: len(c.name), default=None)

    def _likely_owners(self, subject: str) -> frozenset[str]:
        """Return the words of the components that an object is named after, as operators name what they make."""
        namespace, _, name = subject.partition("/")[2].partition("/")
        words: frozenset[str] = frozenset()
        for component in self._components.values():
            heads = (component.name, component.service)
            if component.namespace == namespace and any(head and f"{name}-".startswith(f"{head}-") for head in heads):
                words |= limiting.words_of_component(component)
        return words


def joined(several: Iterable[Taken]) -> Taken:
    """Return what several take away together."""
    named: frozenset[str] = frozenset()
    unnamed: Counter[str] = Counter()
    absent: Counter[str] = Counter()
    for taken in several:
        named |= taken.named
        unnamed += taken.unnamed
        absent += taken.absent
    return Taken(named, unnamed, absent)


def parts_of(injection: Injection) -> Iterator[Injection]:
    """Yield what an injection is composed of; one that is not composed is its own only part."""
    parts = injection.recipe.get("parts")
    if injection.parameters.get("parts") is None or not isinstance(parts, list):
        yield injection
        return
    for part in parts:
        yield from parts_of(decode(Injection, part))


def _kept_words(subject: str, injection: Injection) -> frozenset[str]:
    """Return labels and owners of an object, where a recipe keeps the whole of it to put it back."""
    words: set[str] = set()
    for part in parts_of(injection):
        for value in part.recipe.values():
            metadata = value.get("metadata") if isinstance(value, dict) else None
            if not isinstance(metadata, dict) or metadata.get("name") != subject.rpartition("/")[2]:
                continue
            labels, owners = metadata.get("labels"), metadata.get("ownerReferences")
            words |= {f"{key}={label}" for key, label in labels.items()} if isinstance(labels, dict) else set()
            listed = owners if isinstance(owners, list) else []
            words |= {str(owner["name"]) for owner in listed if isinstance(owner, dict) and "name" in owner}
    return frozenset(words)
