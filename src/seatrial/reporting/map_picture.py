"""The connection map as a picture: services as boxes, components inside, what was seen between them as lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from markupsafe import Markup

from seatrial.reporting.placing import BOX_WIDTH, HEADER, Placed, Plan, Point, Route, place
from seatrial.reporting.svg import group, picture, tag, text_width
from seatrial.reporting.wiring import Box, End, Link, Part, Wiring
from seatrial.reporting.words import plural

_MOST_LINES = 90
_MOST_BOXES = 120
_MOST_JOINED = 160
_ALL = "all components"
_JOINED = "several rules; see the table"
_LABEL = 12.5
_LINE_HEIGHT = 14.0
_ORDER = {"allowed": 0, "unproven": 1, "forbidden": 2}


def map_picture(wiring: Wiring) -> Markup:
    """Draw the map; empty when no census saw anything."""
    if not wiring.links and not wiring.censuses:
        return Markup("")
    simple = _simplified(wiring)
    plan = place(simple)
    routes = sorted(plan.routes, key=lambda route: _ORDER.get(route.link.ruling, 1))
    culprits = {link.source for link in simple.of("forbidden")}
    children = [
        _markers(),
        *(tag("text", title, x=x, y=18, class_="column") for x, title in plan.titles),
        group([_line(route) for route in routes], class_="lines"),
        group([_box(node, plan.xs[node.column], culprits) for node in plan.placed], class_="boxes"),
        group(_labels(routes, plan), class_="labels"),
    ]
    label = f"Connections between components: {_said(wiring)}"
    return picture(children, width=plan.width, height=plan.height, label=label, name="map")


def map_note(wiring: Wiring) -> str:
    """Return what the picture leaves out of the map, in a sentence; empty when it shows all."""
    simple = _simplified(wiring)
    if simple is wiring:
        return ""
    shown = sum(max(len(link.pairs), 1) if link.rule == _JOINED else 1 for link in simple.links)
    left = len(wiring.links) - shown
    rest = f", and the {plural(left, 'kind')} seen least are left out" if left > 0 else ""
    return f"There are more lines than a picture can hold: allowed ones are joined by service{rest}; the table has all."


def _said(wiring: Wiring) -> str:
    return ", ".join(f"{len(wiring.of(ruling))} {ruling}" for ruling in ("allowed", "forbidden", "unproven"))


def _simplified(wiring: Wiring) -> Wiring:
    """Join allowed lines between services when there are more than a picture can hold; the table keeps them all."""
    if len(wiring.links) <= _MOST_LINES and len(wiring.boxes) <= _MOST_BOXES:
        return wiring
    single = {box.name: box.parts[0].name for box in wiring.boxes if len(box.parts) == 1}
    joined: dict[tuple[str, str, str], Link] = {}
    kept: list[Link] = []
    for link in wiring.links:
        if link.ruling != "allowed" and len(kept) < _MOST_LINES:
            kept.append(link)
            continue
        source, sink = (End(end.box, single.get(end.box, _ALL)) for end in (link.source, link.sink))
        fresh = Link(source, sink, "", link.ruling, _JOINED)
        many = joined.setdefault((source.box, sink.box, link.ruling), fresh)
        many.count += link.count
        many.protocol = link.protocol if many.protocol in ("", link.protocol) else "several"
        many.ports |= link.ports
        many.pairs[f"{link.source.component} → {link.sink.component}: {link.label}"] = None
    busiest = sorted(joined.values(), key=lambda link: -link.count)[:_MOST_JOINED]
    links = (*kept, *busiest)
    used = {end for link in links for end in (link.source, link.sink)}
    boxes = [_simple_box(box, used) for box in wiring.boxes if any(end.box == box.name for end in used)]
    return replace(wiring, boxes=tuple(boxes), links=links)


def _simple_box(box: Box, used: set[End]) -> Box:
    parts = [part for part in box.parts if End(box.name, part.name) in used]
    if End(box.name, _ALL) in used:
        parts.append(Part(_ALL, plural(len(box.parts), "component")))
    return replace(box, parts=tuple(parts))


def _markers() -> Markup:
    heads = [
        tag(
            "marker",
            tag("path", d="M0,0 L8,4 L0,8 z"),
            id=f"head-{ruling}",
            class_=f"head {ruling}",
            viewBox="0 0 8 8",
            refX=7,
            refY=4,
            markerWidth=16 if ruling == "forbidden" else 9,
            markerHeight=16 if ruling == "forbidden" else 9,
            markerUnits="userSpaceOnUse",
            orient="auto",
        )
        for ruling in _ORDER
    ]
    return tag("defs", *heads)


def _box(node: Placed, x: float, culprits: set[End]) -> Markup:
    if node.box is None:
        return Markup("")
    drawn = [
        tag("rect", x=x, y=node.y, width=BOX_WIDTH, height=node.height, rx=7, class_="service"),
        tag("text", node.box.name, x=x + 11, y=node.y + 19, class_="service-name"),
    ]
    for index, part in enumerate(node.box.parts):
        guilty = part.accused or End(node.box.name, part.name) in culprits
        kind = "part culprit" if guilty else "part"
        drawn.append(_part(part, x + 6, node.part_y(index), node.heights[index], kind=kind))
    return group(drawn, class_=f"box column-{node.box.column.value}")


def _part(part: Part, x: float, y: float, height: float, *, kind: str) -> Markup:
    room = BOX_WIDTH - 12
    marks = [*([f"✕ {', '.join(part.accused)}"] if part.accused else []), *(["not read"] if part.unread else [])]
    note = " · ".join([*marks, *([part.note] if part.note else [])])
    # Operators' Deployments all end alike; what tells them apart comes first.
    name = part.name.removesuffix("-controller-manager")
    middle = y + height / 2 - 1
    return group(
        [
            tag("title", f"{part.name}: {note}" if note else part.name),
            tag("rect", x=x, y=y + 1, width=room, height=height - 4, rx=4),
            tag("text", _cut(name, room - 10, 13.5), x=x + 7, y=middle + (-2 if note else 4), class_="part-name"),
            tag("text", _cut(note, room - 10, 11.5), x=x + 7, y=middle + 13, class_="part-note"),
        ],
        class_=f"{kind} unread" if part.unread else kind,
    )


def _cut(words: str, room: float, size: float) -> str:
    most = int(room / text_width("x", size))
    return words if len(words) <= most else words[: most - 1] + "…"


def _line(route: Route) -> Markup:
    link = route.link
    who = "\n".join(list(link.pairs)[:12]) + (f"\nand {len(link.pairs) - 12} more" if len(link.pairs) > 12 else "")
    title = f"{link.ruling}: {link.source.component} → {link.sink.component}, {link.label}\n{link.rule}\n{who}"
    drawn = [tag("title", title)]
    head = f"url(#head-{link.ruling})" if link.ruling in _ORDER else None
    drawn.append(tag("path", d=_curve(route), marker_end=head))
    return group(drawn, class_=f"line {link.ruling}")


def _bend(route: Route) -> float:
    """Return how far an arc beside its column reaches out: further for a longer one, so that arcs nest."""
    (_, y1), (_, y2) = route.points
    return min(34 + abs(y2 - y1) * 0.22, 120)


def _curve(route: Route) -> str:
    points = _ends_apart(route)
    if route.loop:
        (x, y1), (_, y2) = points
        out = x + _bend(route)
        return f"M{x:.1f},{y1:.1f} C{out:.1f},{y1:.1f} {out:.1f},{y2:.1f} {x:.1f},{y2:.1f}"
    path = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    for index in range(len(points) - 1):
        (x1, y1), (x2, y2) = points[index], points[index + 1]
        middle = (x1 + x2) / 2
        path += f" C{middle:.1f},{y1:.1f} {middle:.1f},{y2:.1f} {x2:.1f},{y2:.1f}"
    return path


def _ends_apart(route: Route) -> tuple[Point, ...]:
    """Keep both ends of a component's arc to itself far enough apart to see an arc."""
    if not route.loop or abs(route.points[0][1] - route.points[1][1]) >= 12:
        return route.points
    (x, y1), (_, y2) = route.points
    middle = (y1 + y2) / 2
    return ((x, middle - 7), (x, middle + 7))


Rect = tuple[float, float, float, float]


def _labels(routes: Sequence[Route], plan: Plan) -> list[Markup]:
    """Write on each line what it carries, where there is room; the worst first: every culprit gets a place."""
    taken: list[Rect] = [
        (plan.xs[node.column], node.y, plan.xs[node.column] + BOX_WIDTH, node.y + HEADER + sum(node.heights) + 8)
        for node in plan.placed
    ]
    drawn = []
    named: set[End] = set()
    for route in reversed(routes):
        lines = _words(route.link)
        half = max(text_width(line, _LABEL) for line in lines) / 2 + 3
        above = _LINE_HEIGHT * len(lines)
        lift = 8 if route.link.ruling == "forbidden" else 0  # above a thick line, not across it
        spots = [
            (x, y - lift, (x - half, y - lift - above + 3, x + half, y - lift + 4)) for x, y in _spots(route, half)
        ]
        free = next((spot for spot in spots if not any(_touch(spot[2], other) for other in taken)), None)
        if free is None and (route.link.ruling != "forbidden" or route.link.source in named):
            continue
        named.add(route.link.source)
        x, y, rect = free or spots[0]
        taken.append(rect)
        for index, line in enumerate(reversed(lines)):
            kind = f"label {route.link.ruling}"
            drawn.append(tag("text", line, x=x, y=y - index * _LINE_HEIGHT, class_=kind))
    return drawn


def _words(link: Link) -> list[str]:
    """Return what is written on a line; a forbidden one says who opens it."""
    return [f"✕ {_cut(link.source.component, 150, _LABEL)}", link.label] if link.ruling == "forbidden" else [link.label]


def _spots(route: Route, half: float) -> list[Point]:
    points = _ends_apart(route)
    if route.loop:
        (x, y1), (_, y2) = points
        out = x + _bend(route) * 0.75 + half + 2
        near = x + half + 8
        middle = (y1 + y2) / 2 + 4
        return [(out, middle), (out, middle - 15), (out, middle + 15), (near, y1), (near, y2), (near, middle)]
    spots = []
    for index in range(0, len(points) - 1, 2):  # the stretches between columns; the others run behind slots
        (x1, y1), (x2, y2) = points[index], points[index + 1]
        for share in (0.5, 0.38, 0.62, 0.28, 0.72, 0.2, 0.8):
            # The curve's own points: cubic with both handles at half the way.
            u = 1 - share
            handle = (x1 + x2) / 2
            x = u**3 * x1 + 3 * u**2 * share * handle + 3 * u * share**2 * handle + share**3 * x2
            y = (u**3 + 3 * u**2 * share) * y1 + (3 * u * share**2 + share**3) * y2
            spots.append((x, y + 2))
    spots += [(x, y + aside) for aside in (-15, 15) for x, y in spots]
    return spots


def _touch(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
