"""The plot of a run on one UTC axis: scenarios, load, faults, and what each measured path did meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from statistics import median

from markupsafe import Markup

from seatrial.reporting.axis import TimeAxis, ceiling, figure
from seatrial.reporting.brief import MOST, cut, middle_cut
from seatrial.reporting.story import FaultBand, LoadPoint, Outage, Phase, Story
from seatrial.reporting.svg import group, picture, tag, text_width
from seatrial.reporting.words import clock, listing, seconds, short

_WIDTH = 1160.0
_LEFT = 132.0
_RIGHT = 14.0
_ROW = 24.0
_MOST_FAULT_ROWS = 14
_MOST_POINTS = 500
_MOST_BARS = 1500
_LONGEST_NAME = 44
_LONGEST_LANE = 16
_NARROWEST = 3.0  # a bar thinner than this can't be seen; its label carries the truth


@dataclass(frozen=True, slots=True)
class Lane:
    """One strip of the plot: how high it is, what it is called, and what it shows at which height."""

    title: str
    unit: str
    height: float
    draw: Callable[[TimeAxis, float], list[Markup]]


_HATCH = tag(
    "defs",
    tag(
        "pattern",
        tag("rect", width=6, height=6),
        tag("path", d="M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2"),
        id="struck",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
    ),
    tag(
        "pattern",
        tag("path", d="M-1,1 l2,-2 M0,6 l6,-6 M5,7 l2,-2"),
        id="hatch",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
    ),
)


def timeline(story: Story, start: datetime | None = None, end: datetime | None = None) -> Markup:
    """Draw the run, or the stretch of it between ``start`` and ``end``; empty when there is nothing to put on it."""
    axis = TimeAxis(start or story.first, end or story.last, _LEFT, _WIDTH - _RIGHT)
    lanes = _lanes(story, axis)
    if not (story.load or story.faults or story.watches or story.outages):
        return Markup("")
    height = sum(lane.height for lane in lanes) + 34
    drawn: list[Markup] = [
        *([] if start else [_HATCH]),
        _grid(axis, height - 30),
        *_shades(story.faults, axis, height - 30),
    ]
    top = 4.0
    for lane in lanes:
        middle = top + lane.height / 2 + (-2 if lane.unit else 4)
        drawn.append(tag("text", middle_cut(lane.title, _LONGEST_LANE), x=_LEFT - 12, y=middle, class_="lane"))
        if lane.unit:
            drawn.append(tag("text", lane.unit, x=_LEFT - 12, y=middle + 14, class_="unit"))
        drawn.append(tag("line", x1=0, x2=_WIDTH, y1=top + lane.height, y2=top + lane.height, class_="rule"))
        drawn.append(group(lane.draw(axis, top)))
        top += lane.height
    drawn += _marks(axis, height - 30)
    label = f"Load, faults and outages from {clock(axis.start)} to {clock(axis.end)} UTC"
    return picture(drawn, width=_WIDTH, height=height, label=label, name="timeline")


def closer_looks(story: Story, most: int = 12) -> list[tuple[str, Markup]]:
    """Draw each fault's own moments where the whole run is too long to show them; each with its caption."""
    if story.last - story.first < timedelta(seconds=45):
        return []
    looks: list[tuple[str, Markup]] = []
    for band in story.faults:
        struck = [] if band.injected is None else _struck(story, band, band.injected)
        if len(looks) == most:
            break
        if band.injected is None or not struck:
            continue
        start = min(band.injected, *(o.start for o in struck))
        end = max(o.end for o in struck)
        margin = max((end - start) * 0.25, timedelta(seconds=0.5))
        looks.append((_fault_name(band), timeline(story, start - margin, end + margin)))
    return looks


def _struck(story: Story, band: FaultBand, injected: datetime) -> list[Outage]:
    return [o for o in story.outages if injected <= o.end and o.start <= (band.ended or story.last)]


def _lanes(story: Story, axis: TimeAxis) -> list[Lane]:
    lanes = []
    if any(phase.scenario for phase in story.phases):
        lanes.append(Lane("scenario", "", 26, lambda a, top: _scenarios(story.phases, a, top)))
    points = _thinned([p for p in story.load if axis.start <= p.at <= axis.end])
    if points:
        lanes.append(Lane("load", "requests / s", 92, lambda a, top: _rates(points, a, top, 92)))
        if any(p.p95_ms is not None for p in points):
            lanes.append(Lane("p95", "ms", 62, lambda a, top: _latency(points, a, top, 62)))
    rows = _packed([f for f in story.faults if axis.covers(f.prepared, f.ended or story.last)], story.last, axis)
    if rows:
        height = len(rows) * _ROW + 10
        lanes.append(Lane("faults", "", height, lambda _, top: _faults(rows, story.last, top)))
    paths = sorted({w.path for w in story.watches} | {o.path for o in story.outages})
    return [*lanes, *(Lane(path, "path", 38, _path_drawer(story, path)) for path in paths)]


def _path_drawer(story: Story, path: str) -> Callable[[TimeAxis, float], list[Markup]]:
    return lambda axis, top: _path(story, path, axis, top)


def _grid(axis: TimeAxis, bottom: float) -> Markup:
    lines = [tag("line", x1=axis.x(at), x2=axis.x(at), y1=4, y2=bottom) for at, _ in axis.marks()]
    return group(lines, class_="grid")


def _marks(axis: TimeAxis, bottom: float) -> list[Markup]:
    drawn = [tag("text", "UTC", x=_LEFT - 12, y=bottom + 20, class_="unit")]
    for at, label in axis.marks():
        half = text_width(label, 12) / 2
        x = min(max(axis.x(at), _LEFT + half - 8), _WIDTH - half)
        drawn.append(tag("text", label, x=x, y=bottom + 20, class_="mark"))
    return drawn


def _shades(faults: Sequence[FaultBand], axis: TimeAxis, bottom: float) -> list[Markup]:
    """Shade the moments of every fault across all lanes, so that cause and effect stand above each other."""
    shades = []
    for band in faults[:200]:
        if band.injected is None or not axis.covers(band.injected, band.ended or axis.end):
            continue
        left, right = axis.x(band.injected), axis.x(band.ended or axis.end)
        shades.append(tag("rect", x=left, y=4, width=max(right - left, 1), height=bottom - 4, class_="shade"))
    return shades


def _scenarios(phases: Sequence[Phase], axis: TimeAxis, top: float) -> list[Markup]:
    drawn = []
    stretches = [list(run) for scenario, run in groupby(phases, key=lambda phase: phase.scenario) if scenario]
    for index, stretch in enumerate(stretches[:400]):
        start, end = stretch[0].start, stretch[-1].end
        if not axis.covers(start, end):
            continue
        left, right = axis.x(start), axis.x(end)
        name = stretch[0].scenario
        room = int((right - left - 10) / 6.4)
        words = cut(name, min(room, MOST)) if room > 5 else ""
        title = tag("title", f"{name}: {clock(start)} to {clock(end)} UTC")
        box = tag("rect", x=left, y=top + 3, width=max(right - left - 1, 1), height=19, rx=3)
        label = tag("text", words, x=left + 6, y=top + 17)
        drawn.append(group([title, box, label], class_=f"scene scene-{index % 2}"))
    return drawn


def _thinned(points: Sequence[LoadPoint]) -> list[LoadPoint]:
    """Join neighbouring intervals when there are more than a line can show: mean rates, worst latency."""
    size = -(-len(points) // _MOST_POINTS)
    if size <= 1:
        return list(points)
    joined = []
    for index in range(0, len(points), size):
        some = points[index : index + size]
        slow = [p.p95_ms for p in some if p.p95_ms is not None]
        joined.append(
            LoadPoint(
                at=some[-1].at,
                rate=sum(p.rate for p in some) / len(some),
                failures=sum(p.failures for p in some) / len(some),
                p95_ms=max(slow, default=None),
                users=max(p.users for p in some),
            )
        )
    return joined


def _unbroken(points: Sequence[LoadPoint]) -> list[list[LoadPoint]]:
    """Part the points where load paused: nothing is drawn over a time in which nobody asked."""
    steps = [(b.at - a.at).total_seconds() for a, b in pairwise(points)]
    longest = 4 * median(steps) if steps else 0.0
    parts = [list(points[:1])] if points else []
    for step, point in zip(steps, points[1:], strict=True):
        if step > longest:
            parts.append([])
        parts[-1].append(point)
    return parts


def _rates(points: Sequence[LoadPoint], axis: TimeAxis, top: float, height: float) -> list[Markup]:
    most = ceiling(max(max(p.rate, p.failures) for p in points))
    floor, scale = top + height - 6, (height - 18) / most
    drawn: list[Markup] = []
    for some in _unbroken(points):
        line = " ".join(f"{axis.x(p.at):.1f},{floor - p.rate * scale:.1f}" for p in some)
        ends = f"{axis.x(some[0].at):.1f},{floor:.1f} {line} {axis.x(some[-1].at):.1f},{floor:.1f}"
        drawn += [tag("polygon", points=ends, class_="area"), tag("polyline", points=line, class_="rate")]
    width = max(min((axis.right - axis.left) / max(len(points), 1) * 0.7, 8), 1.5)
    for p in points:
        if p.failures > 0:
            tall = max(p.failures * scale, 2)
            title = tag("title", f"{clock(p.at)} UTC: {figure(round(p.failures, 2))} failures/s of {p.rate:.1f}/s")
            bar = tag("rect", x=axis.x(p.at) - width / 2, y=floor - tall, width=width, height=tall)
            drawn.append(group([title, bar], class_="failures"))
    return [*drawn, *_heights(most, floor, scale)]


def _latency(points: Sequence[LoadPoint], axis: TimeAxis, top: float, height: float) -> list[Markup]:
    most = ceiling(max(p.p95_ms or 0.0 for p in points))
    floor, scale = top + height - 6, (height - 18) / most
    drawn: list[Markup] = []
    for some in _unbroken([p for p in points if p.p95_ms is not None]):
        line = " ".join(f"{axis.x(p.at):.1f},{floor - (p.p95_ms or 0.0) * scale:.1f}" for p in some)
        drawn.append(tag("polyline", points=line, class_="p95"))
    return [*drawn, *_heights(most, floor, scale)]


def _heights(most: float, floor: float, scale: float) -> list[Markup]:
    drawn = []
    for value in (most, most / 2):
        y = floor - value * scale
        drawn.append(tag("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="level"))
        drawn.append(tag("text", figure(value), x=_LEFT + 4, y=y + 11, class_="height"))
    return drawn


def _fault_name(band: FaultBand) -> str:
    """Return what a fault is called beside its bar: the one it hit, or what all of them are and how many."""
    subjects = band.injection.subjects
    component = band.injection.parameters.get("component")
    if len(subjects) == 1:
        who = short(subjects[0])
    elif isinstance(component, str):
        who = f"{len(subjects)} {component}"
    else:
        who = listing([short(subject) for subject in subjects], most=1)
    return f"{middle_cut(band.injection.fault, _LONGEST_NAME)} {middle_cut(who, _LONGEST_NAME)}"


@dataclass(frozen=True, slots=True)
class Bar:
    """One fault's place in its row: from the recipe on disk to the end, and its name beside or inside."""

    band: FaultBand
    prepared: float
    touched: float
    right: float
    said: str
    place: str
    """Of the name: inside, after or before the bar."""
    name_x: float
    name_room: tuple[float, float]

    @property
    def low(self) -> float:
        """Return where it begins, name included."""
        return min(self.prepared, self.name_room[0])

    @property
    def high(self) -> float:
        """Return where it ends, name included."""
        return max(self.right, self.name_room[1])


def _bar(band: FaultBand, last: datetime, axis: TimeAxis) -> Bar:
    end = band.ended or last
    prepared, touched = axis.x(band.prepared), axis.x(band.touched)
    right = max(axis.x(end), touched + _NARROWEST)
    said = seconds((end - band.touched).total_seconds()) if band.restored else f"{band.fate}!"
    width = text_width(f"{_fault_name(band)}  {said}", 12)
    if right - touched > width + 12:
        return Bar(band, prepared, touched, right, said, "inside", touched + 6, (touched, right))
    if right + 6 + width <= _WIDTH:
        return Bar(band, prepared, touched, right, said, "after", right + 6, (right + 1, right + 6 + width))
    x = max(prepared - 6, width)
    return Bar(band, prepared, touched, right, said, "before", x, (x - width, x - 1))


def _packed(faults: Sequence[FaultBand], last: datetime, axis: TimeAxis) -> list[list[Bar]]:
    """Lay faults in rows so that neither bars nor names overlap; the last row takes what has no room."""
    rows: list[list[Bar]] = []
    for band in sorted(faults, key=lambda f: f.prepared):
        bar = _bar(band, last, axis)
        row = next((r for r in rows if all(bar.low > other.high or other.low > bar.high for other in r)), None)
        if row is None and len(rows) < _MOST_FAULT_ROWS:
            row = []
            rows.append(row)
        (row if row is not None else rows[-1]).append(bar)
    return rows


def _faults(rows: Sequence[Sequence[Bar]], last: datetime, top: float) -> list[Markup]:
    drawn = []
    for index, row in enumerate(rows):
        taken: list[tuple[float, float]] = [(bar.prepared, bar.right) for bar in row]
        drawn += [_fault(bar, last, y=top + 6 + index * _ROW, taken=taken) for bar in row]
    return drawn


def _fault(bar: Bar, last: datetime, *, y: float, taken: list[tuple[float, float]]) -> Markup:
    band = bar.band
    told = f"{_fault_name(band)}: injected {clock(band.touched, digits=3)}, {band.fate} {clock(band.ended or last)} UTC"
    parts = [
        tag("title", told),
        tag("line", x1=bar.prepared, x2=bar.touched, y1=y + 8, y2=y + 8, class_="prepared"),
    ]
    if band.injected:
        kind = "band" if band.restored else "band band-open"
        parts.append(tag("rect", x=bar.touched, y=y, width=bar.right - bar.touched, height=16, rx=2, class_=kind))
    start, until = bar.name_room
    if bar.place == "inside" or all(until < left or right < start for left, right in taken):
        words = [tag("tspan", _fault_name(band), class_="name"), tag("tspan", f"  {bar.said}")]
        parts.append(tag("text", *words, x=bar.name_x, y=y + 12, class_=bar.place))
        taken.append(bar.name_room)
    return group(parts, class_="fault" if band.restored else "fault open")


def _path(story: Story, path: str, axis: TimeAxis, top: float) -> list[Markup]:
    drawn = []
    y = top + 16
    for watch in [w for w in story.watches if w.path == path][:_MOST_BARS]:
        if axis.covers(watch.start, watch.end):
            left, right = axis.x(watch.start), axis.x(watch.end)
            title = f"{path}: measured from {clock(watch.start)} to {clock(watch.end)} UTC, asked {watch.asked:,} times"
            bar = tag("rect", x=left, y=y + 3, width=max(right - left, 1), height=10, class_="answering")
            drawn.append(group([tag("title", title), bar]))
    for blind in [b for b in story.blind if b.path == path and axis.covers(b.start, b.end)][:_MOST_BARS]:
        left, right = axis.x(blind.start), axis.x(blind.end)
        title = tag("title", f"{path}: nothing is known from {clock(blind.start, digits=3)} UTC")
        drawn.append(
            group([title, tag("rect", x=left, y=y + 3, width=max(right - left, 1), height=10)], class_="blind")
        )
    seen = [o for o in story.outages if o.path == path and axis.covers(o.start, o.end)]
    narrowest = _NARROWEST if len(seen) < 100 else 1.0
    taken: list[tuple[float, float]] = []
    longest_first = sorted(seen, key=lambda o: -o.took_s)[:_MOST_BARS]
    return [*drawn, *(_outage(outage, axis, y=y, narrowest=narrowest, taken=taken) for outage in longest_first)]


def _outage(outage: Outage, axis: TimeAxis, *, y: float, narrowest: float, taken: list[tuple[float, float]]) -> Markup:
    """Draw one outage; its seconds stand above it unless a longer one's stand there already."""
    left, right = axis.x(outage.start), axis.x(outage.end)
    if right - left < narrowest:
        left, right = (left + right - narrowest) / 2, (left + right + narrowest) / 2
    words = seconds(outage.took_s)
    title = f"{outage.path} did not answer for {words} from {clock(outage.start, digits=3)} UTC. {outage.detail}"
    parts = [tag("title", title), tag("rect", x=left, y=y, width=right - left, height=16, rx=1)]
    half = text_width(words, 12) / 2 + 3
    middle = min(max((left + right) / 2, _LEFT + half), _WIDTH - half)
    if all(middle + half < start or end < middle - half for start, end in taken):
        taken.append((middle - half, middle + half))
        parts.append(tag("text", words, x=middle, y=y - 4))
    return group(parts, class_="outage")
