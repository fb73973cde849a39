"""Where the boxes and lines of the connection map go: columns by kind of service, then few crossings.

A small layered layout. Lines that pass a column get a slot of their own in it, so that they run between the boxes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from seatrial.reporting.wiring import Box, Link, Wiring

BOX_WIDTH = 196.0
HEADER = 28.0
_PART = 42.0
_PORT = 8.0
_GUTTER = 152.0
_GAP = 26.0
_SLOT = 12.0
_LANE = 6.0
_TALLEST = 1100.0
_TOP = 34.0
_SWEEPS = 8

Point = tuple[float, float]


@dataclass(slots=True)
class Placed:
    """A box with its place; or, without one, the slot in which lines pass a column."""

    column: int
    box: Box | None = None
    y: float = 0.0
    heights: list[float] = field(default_factory=list)
    """Of its parts."""
    lanes: int = 1
    """Of a slot: how many lines pass in it."""

    @property
    def height(self) -> float:
        """Return how much room it takes."""
        return HEADER + sum(self.heights) + 8 if self.box else _SLOT + _LANE * self.lanes

    def part_y(self, index: int) -> float:
        """Return where a part begins."""
        return self.y + HEADER + sum(self.heights[:index])


@dataclass(frozen=True, slots=True)
class Route:
    """One line: the points that it bends through, out of one box and into another."""

    link: Link
    points: tuple[Point, ...]
    loop: bool = False
    """Both ends are on the same side of one column: an arc, not a passage."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The finished layout."""

    placed: tuple[Placed, ...]
    routes: tuple[Route, ...]
    xs: tuple[float, ...]
    """The left edge of each column."""
    titles: tuple[tuple[float, str], ...]
    width: float
    height: float


_TITLES = ("from outside", "services", "databases, brokers, caches", "operators and platform")


def place(wiring: Wiring) -> Plan:
    """Return where everything goes."""
    ports = _port_counts(wiring.links)
    columns, titles = _columns(wiring.boxes, ports)
    home = {node.box.name: node for column in columns for node in column if node.box}
    slots = _slots(columns, home, wiring.links)
    _order(columns, home, slots, wiring.links)
    height = _stack(columns)
    xs = tuple(24 + index * (BOX_WIDTH + _GUTTER) for index in range(len(columns)))
    routes = _routes(wiring.links, home, slots, xs)
    width = xs[-1] + BOX_WIDTH + (_GUTTER * 1.15 if _bulges(routes, xs[-1]) else 24) if xs else 0.0
    return Plan(
        placed=tuple(node for column in columns for node in column if node.box),
        routes=tuple(routes),
        xs=xs,
        titles=tuple((xs[index], title) for index, title in titles),
        width=width,
        height=height,
    )


def _port_counts(links: Sequence[Link]) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for link in links:
        for end in (link.source, link.sink):
            counts[end.box, end.component] = counts.get((end.box, end.component), 0) + 1
    return counts


def _columns(
    boxes: Sequence[Box], ports: Mapping[tuple[str, str], int]
) -> tuple[list[list[Placed]], list[tuple[int, str]]]:
    """Sort the boxes into columns by kind; a kind that is too tall for one column gets several."""
    columns: list[list[Placed]] = []
    titles: list[tuple[int, str]] = []
    for kind in sorted({box.column for box in boxes}):
        titles.append((len(columns), _TITLES[kind]))
        columns.append([])
        tall = 0.0
        for box in (b for b in boxes if b.column is kind):
            node = Placed(
                0, box, heights=[max(_PART, 12 + _PORT * ports.get((box.name, p.name), 0)) for p in box.parts]
            )
            if columns[-1] and tall + node.height > _TALLEST:
                columns.append([])
                tall = 0.0
            tall += node.height + _GAP
            node.column = len(columns) - 1
            columns[-1].append(node)
    return columns, titles


def _slots(
    columns: list[list[Placed]], home: Mapping[str, Placed], links: Sequence[Link]
) -> dict[tuple[str, str], list[Placed]]:
    """Give the lines between two boxes a shared slot in every column that they pass."""
    slots: dict[tuple[str, str], list[Placed]] = {}
    for link in links:
        key = link.source.box, link.sink.box
        left, right = sorted((home[key[0]].column, home[key[1]].column))
        if key in slots:
            for slot in slots[key]:
                slot.lanes += 1
        if key in slots or right - left < 2:
            continue
        slots[key] = [Placed(index) for index in range(left + 1, right)]
        for slot in slots[key]:
            columns[slot.column].append(slot)
    return slots


def _order(
    columns: list[list[Placed]],
    home: Mapping[str, Placed],
    slots: Mapping[tuple[str, str], list[Placed]],
    links: Sequence[Link],
) -> None:
    """Sort each column by where its neighbours stand, back and forth: the barycentre heuristic."""
    beside: dict[int, list[Placed]] = {}
    for key in dict.fromkeys((link.source.box, link.sink.box) for link in links):
        ends = sorted((home[key[0]], home[key[1]]), key=lambda node: node.column)
        for a, b in pairwise([ends[0], *slots.get(key, []), ends[1]]):
            if a is not b:
                beside.setdefault(id(a), []).append(b)
                beside.setdefault(id(b), []).append(a)
    for sweep in range(_SWEEPS):
        _stack(columns)
        for index in range(len(columns)) if sweep % 2 else reversed(range(len(columns))):
            columns[index].sort(key=lambda node: _pull(node, beside))
            _stack(columns)


def _pull(node: Placed, beside: Mapping[int, Sequence[Placed]]) -> float:
    others = [other for other in beside.get(id(node), ()) if other.column != node.column]
    if not others:
        return node.y + node.height / 2
    return sum(other.y + other.height / 2 for other in others) / len(others)


def _stack(columns: Sequence[Sequence[Placed]]) -> float:
    """Give every box its height on paper, each column centred; return the height of the whole."""
    tall = [sum(node.height for node in column) + _GAP * max(len(column) - 1, 0) for column in columns]
    most = max(tall, default=0.0)
    for column, height in zip(columns, tall, strict=True):
        y = _TOP + (most - height) / 2
        for node in column:
            node.y = y
            y += node.height + _GAP
    return most + _TOP + 16


def _routes(
    links: Sequence[Link],
    home: Mapping[str, Placed],
    slots: Mapping[tuple[str, str], list[Placed]],
    xs: Sequence[float],
) -> list[Route]:
    """Bend every line from its part to the other: out of the facing sides, through its slots."""
    docks = _docks(links, home)
    passed: Counter[tuple[str, str]] = Counter()
    routes = []
    for link, (start, end) in zip(links, docks, strict=True):
        a, b = home[link.source.box], home[link.sink.box]
        if a.column == b.column:
            x = xs[a.column] + BOX_WIDTH
            routes.append(Route(link, ((x, start), (x, end)), loop=True))
            continue
        forward = a.column < b.column
        passing: list[Point] = []
        pair = link.source.box, link.sink.box
        passed[pair] += 1
        for slot in slots.get(pair, []):
            y = slot.y + slot.height * passed[pair] / (slot.lanes + 1)
            passing += [(xs[slot.column], y), (xs[slot.column] + BOX_WIDTH, y)]
        first = (xs[a.column] + (BOX_WIDTH if forward else 0), start)
        final = (xs[b.column] + (0 if forward else BOX_WIDTH), end)
        routes.append(Route(link, (first, *(passing if forward else reversed(passing)), final)))
    return routes


def _docks(links: Sequence[Link], home: Mapping[str, Placed]) -> list[tuple[float, float]]:
    """Spread the ends of lines along the side of each part, in the order of where they lead."""
    sides: dict[tuple[str, str, bool], list[tuple[float, int, int]]] = {}
    for number, link in enumerate(links):
        nodes = home[link.source.box], home[link.sink.box]
        for which, (end, here, there) in enumerate(
            ((link.source, nodes[0], nodes[1]), (link.sink, nodes[1], nodes[0]))
        ):
            right = there.column >= here.column
            side = sides.setdefault((end.box, end.component, right), [])
            side.append((there.y + there.height / 2, number, which))
    docks = [[0.0, 0.0] for _ in links]
    for (box, component, _), ends in sides.items():
        node = home[box]
        index = next(i for i, part in enumerate(node.box.parts) if part.name == component) if node.box else 0
        top, room = node.part_y(index), node.heights[index]
        for rank, (_, number, which) in enumerate(sorted(ends), start=1):
            docks[number][which] = top + room * rank / (len(ends) + 1)
    return [(ys[0], ys[1]) for ys in docks]


def _bulges(routes: Sequence[Route], last_x: float) -> bool:
    return any(route.loop and route.points[0][0] > last_x for route in routes)
