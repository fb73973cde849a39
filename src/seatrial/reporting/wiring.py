"""Who talks to whom, as the censuses saw it: sockets joined to links between components, each with its ruling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from seatrial.model.inventory import Component, Inventory, Role
from seatrial.model.observation import Json
from seatrial.reporting import plain

OUTSIDE = ("outside", "node", "harness")
PLATFORM = "platform"
OPERATORS = "operators"
_OPERATOR = "operator"  # what the census calls every operator's service
_CROWDS = ("outside", "node", PLATFORM, "unknown")  # boxes whose components are mere addresses
_MOST_ADDRESSES = {"node": 1}  # of a box, before they are drawn as one; of others:
_MOST_OTHERS = 4
_INFRASTRUCTURE = (Role.DATABASE, Role.BROKER, Role.CACHE)
_INFRASTRUCTURE_NAMES = ("galera", "rabbitmq", "memcached", "redis", "ovn", "ovsdb")
_KEPT_PAIRS = 40


class Ruled(Protocol):
    """What a judge of edges says: ``seatrial.checks.edges.EdgeRuling``."""

    @property
    def ruling(self) -> str:
        """allowed, forbidden or unproven."""

    @property
    def rule(self) -> str:
        """The rule in words."""


Judge = Callable[[Mapping[str, Json]], Ruled]


class Column(IntEnum):
    """Where a box stands in the picture, from left to right."""

    OUTSIDE = 0
    SERVICES = 1
    INFRASTRUCTURE = 2
    OPERATORS = 3


@dataclass(frozen=True, slots=True, order=True)
class End:
    """One end of a link: a component inside a box."""

    box: str
    component: str


@dataclass(slots=True)
class Link:
    """All connections of one kind between two components."""

    source: End
    sink: End
    protocol: str
    ruling: str
    rule: str
    count: int = 0
    ports: set[int] = field(default_factory=set)
    processes: set[str] = field(default_factory=set)
    through: set[str] = field(default_factory=set)
    pairs: dict[str, None] = field(default_factory=dict)
    """Who exactly, replica to replica; the first few."""

    @property
    def label(self) -> str:
        """Return what stands on the line: protocol, port and how many connections were seen."""
        port = f" {min(self.ports)}" if len(self.ports) == 1 else ""
        return f"{self.protocol}{port} ×{self.count:,}"  # noqa: RUF001 - a multiplication sign is meant


@dataclass(frozen=True, slots=True)
class Part:
    """One component in the picture."""

    name: str
    note: str
    unread: bool = False
    accused: tuple[str, ...] = ()
    """Requirements whose verdicts name it, or a replica of it, as violating."""


@dataclass(frozen=True, slots=True)
class Box:
    """One service in the picture, with its components."""

    name: str
    column: Column
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Wiring:
    """The connection map: boxes, links, and how it was watched."""

    boxes: tuple[Box, ...]
    links: tuple[Link, ...]
    watched_s: float
    samples: int
    censuses: int
    read: int
    unread: tuple[tuple[str, str], ...]

    def of(self, ruling: str) -> tuple[Link, ...]:
        """Return the links with one ruling."""
        return tuple(link for link in self.links if link.ruling == ruling)


def wire(
    censuses: Sequence[Mapping[str, Json]],
    inventory: Inventory | None,
    judge: Judge,
    *,
    accused: Mapping[str, Sequence[str]] | None = None,
) -> Wiring:
    """Join what all censuses of a run saw into one map.

    ``judge`` rules on each edge as the checks do; ``accused``: subjects that verdicts name as violating, with the
    requirements that do. What an edge carries may be allowed, and who opens it still break a promise by it.
    """
    known = _Known(inventory)
    known.gather(censuses)
    links: dict[tuple[End, End, str, str], Link] = {}
    for census in censuses:
        for edge in plain.objects(census, "edges"):
            _join(links, edge, known, judge)
    listeners = _listeners(censuses, known)
    unread = {
        plain.text(one, "subject"): plain.text(one, "why") for c in censuses for one in plain.objects(c, "unread")
    }
    return Wiring(
        boxes=tuple(_boxes(known, links.values(), listeners, unread, accused or {})),
        links=tuple(sorted(links.values(), key=lambda link: (_URGENCY.get(link.ruling, 1), link.source, link.sink))),
        watched_s=sum(plain.number(census, "watched_s") or 0.0 for census in censuses),
        samples=sum(plain.count(census, "samples") for census in censuses),
        censuses=len(censuses),
        read=len({subject for census in censuses for subject in plain.texts(census, "read")}),
        unread=tuple(unread.items()),
    )


_URGENCY = {"forbidden": 0, "unproven": 1, "allowed": 2}


class _Known:
    """What the inventory says of components: the box each belongs in, and its size."""

    def __init__(self, inventory: Inventory | None) -> None:
        self.components: dict[str, Component] = {}
        self.operators: set[str] = set()
        self.infrastructure: set[str] = set()
        self.crowds: dict[str, set[str]] = {}
        self.subjects: dict[End, set[str]] = {}
        if inventory is None:
            return
        self.components = {component.name: component for component in inventory.components}
        self.operators = {operator.component.name for operator in inventory.operators}
        self.components |= {operator.component.name: operator.component for operator in inventory.operators}
        self.infrastructure = {c.service for c in inventory.components if c.role in _INFRASTRUCTURE}

    def end(self, side: Mapping[str, Json]) -> End:
        """Return where one side of an edge belongs."""
        service = plain.text(side, "service") or "unknown"
        component = plain.text(side, "component") or plain.text(side, "replica") or service
        if component in self.operators or service == _OPERATOR:
            return End(OPERATORS, component)
        if (crowd := len(self.crowds.get(service, ()))) > _MOST_ADDRESSES.get(service, _MOST_OTHERS):
            return End(service, f"{crowd} {'nodes' if service == 'node' else 'addresses'}")
        return End(service, component)

    def gather(self, censuses: Iterable[Mapping[str, Json]]) -> None:
        """Note the subjects of each end, and the addresses outside: many of them are drawn as one."""
        for census in censuses:
            for edge in plain.objects(census, "edges"):
                for side in (plain.part(edge, "from"), plain.part(edge, "to")):
                    if (service := plain.text(side, "service")) in _CROWDS:
                        self.crowds.setdefault(service, set()).add(plain.text(side, "component"))
                    if subject := plain.text(side, "subject"):
                        self.subjects.setdefault(self.end(side), set()).add(subject)

    def home(self, component: Component) -> End:
        """Return where a component of the inventory belongs."""
        return End(OPERATORS if component.name in self.operators else component.service or "unknown", component.name)

    def column(self, box: str) -> Column:
        """Return where a box stands."""
        if box in OUTSIDE:
            return Column.OUTSIDE
        if box in (OPERATORS, PLATFORM):
            return Column.OPERATORS
        if box in self.infrastructure or box.startswith(_INFRASTRUCTURE_NAMES):
            return Column.INFRASTRUCTURE
        return Column.SERVICES


def _join(links: dict[tuple[End, End, str, str], Link], edge: Mapping[str, Json], known: _Known, judge: Judge) -> None:
    source, sink = plain.part(edge, "from"), plain.part(edge, "to")
    said = judge(edge) if _whole(edge) else _Malformed()
    protocol = plain.text(edge, "protocol") or "unknown"
    ruling = str(said.ruling)
    ends = known.end(source), known.end(sink)
    link = links.setdefault((*ends, protocol, ruling), Link(*ends, protocol, ruling, said.rule))
    link.count += max(plain.count(edge, "count"), 1)
    if port := plain.count(edge, "port"):
        link.ports.add(port)
    if process := plain.text(source, "process"):
        link.processes.add(process)
    if via := plain.text(edge, "via"):
        link.through.add(via)
    if len(link.pairs) < _KEPT_PAIRS:
        link.pairs[f"{_replica(source)} → {_replica(sink)}"] = None


@dataclass(frozen=True, slots=True)
class _Malformed:
    """The ruling on an edge that a census did not write as it should."""

    ruling: str = "unproven"
    rule: str = "the census did not say enough of it"


def _whole(edge: Mapping[str, Json]) -> bool:
    """Tell whether an edge says what a judge must know."""
    sides = (plain.part(edge, "from"), plain.part(edge, "to"))
    named = all(isinstance(side.get(key), str) for side in sides for key in ("service", "component"))
    return named and isinstance(edge.get("protocol"), str)


def _replica(side: Mapping[str, Json]) -> str:
    return plain.text(side, "replica") or plain.text(side, "component") or plain.text(side, "service") or "unknown"


def _listeners(censuses: Iterable[Mapping[str, Json]], known: _Known) -> dict[End, dict[str, None]]:
    found: dict[End, dict[str, None]] = {}
    for census in censuses:
        for one in plain.objects(census, "listeners"):
            words = f"{plain.text(one, 'protocol') or 'unknown'} {plain.count(one, 'port')}"
            found.setdefault(known.end(one), {})[words] = None
    return found


def _boxes(
    known: _Known,
    links: Iterable[Link],
    listeners: Mapping[End, Mapping[str, None]],
    unread: Mapping[str, str],
    accused: Mapping[str, Sequence[str]],
) -> Iterator[Box]:
    """Yield the services of the deployment and of every link; Jobs only when a link shows them at work."""
    ends = {end for link in links for end in (link.source, link.sink)}
    ends |= {known.home(c) for c in known.components.values() if c.kind != "Job" and c.desired > 0}
    inside: dict[str, list[Part]] = {}
    for end in sorted(ends):
        inside.setdefault(end.box, []).append(_part(end, known, list(listeners.get(end, ())), unread, accused))
    for box, parts in inside.items():
        yield Box(box, known.column(box), tuple(parts))


def _part(
    end: End, known: _Known, listens: list[str], unread: Mapping[str, str], accused: Mapping[str, Sequence[str]]
) -> Part:
    words = listens[:2] + ([f"+{len(listens) - 2}"] if len(listens) > 2 else [])
    subjects = set(known.subjects.get(end, ()))
    component = known.components.get(end.component)
    if component is not None:
        words.insert(0, f"{sum(replica.ready for replica in component.replicas)} of {component.desired} ready")
        subjects |= {component.subject, *(replica.subject for replica in component.replicas)}
    return Part(
        end.component,
        " · ".join(words),
        unread=not subjects.isdisjoint(unread),
        accused=tuple(sorted({name for subject in subjects for name in accused.get(subject, ())})),
    )
