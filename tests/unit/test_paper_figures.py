"""Figures and scales: what numbers on paper mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_runs import START, Recorder

from seatrial.journal.folder import RunFolder
from seatrial.model.journal import EventKind
from seatrial.reporting.axis import TimeAxis, ceiling
from seatrial.reporting.placing import BOX_WIDTH, place
from seatrial.reporting.telling import tell
from seatrial.reporting.timeline import timeline
from seatrial.reporting.wiring import Box, Column, End, Link, Part, Wiring
from seatrial.reporting.words import listing, plural, seconds

SPANS = st.floats(min_value=0.001, max_value=4e6, allow_nan=False)


@given(SPANS, st.floats(min_value=0, max_value=86400))
def test_an_axis_of_any_length_has_few_round_marks_on_it(span: float, offset: float) -> None:
    """Marks lie on the axis, in order, never more than a person can read, and are told apart by their labels."""
    start = datetime(2026, 1, 31, tzinfo=UTC) + timedelta(seconds=offset)
    axis = TimeAxis(start, start + timedelta(seconds=span), 100, 1100)
    marks = axis.marks()
    assert len(marks) <= 12
    assert all(axis.start <= at <= axis.end for at, _ in marks)
    places = [axis.x(at) for at, _ in marks]
    assert places == sorted(places)
    assert all(a != b for (_, a), (_, b) in pairwise(marks))


@given(st.floats(min_value=1e-9, max_value=1e12))
def test_the_top_of_an_axis_holds_the_value_without_wasting_much(value: float) -> None:
    """At most two and a half times the value, never below it."""
    assert value * 0.999999 <= ceiling(value) <= value * 2.5


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0 s"), (0.02, "0.02 s"), (2.364, "2.36 s"), (9.999, "10.0 s"), (59.96, "1 min 00 s"), (3725, "1 h 02 min")],
)
def test_durations_read_as_people_say_them(value: float, words: str) -> None:
    """No rounding into an impossible 60.0 s."""
    assert seconds(value) == words


def test_lists_and_counts_read_as_people_say_them() -> None:
    """One, two, many."""
    assert (listing([]), listing(["a"]), listing(["a", "b"])) == ("", "a", "a and b")
    assert listing(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert (plural(1, "fault"), plural(1200, "fault")) == ("1 fault", "1,200 faults")


def told(run: Recorder) -> tuple[Recorder, RunFolder]:
    return run, RunFolder(run.save(inventory=False))


def test_load_is_told_per_second_whatever_its_interval(tmp_path: Path) -> None:
    """Sixty requests in an interval of two seconds are thirty a second; a pause does not thin them out."""
    run = Recorder(tmp_path / "run", requirements=())
    for at in (0, 2, 4, 100, 102):
        figures = {"t": run.at(at), "users": 5, "requests": 60, "failures": 4, "p50_ms": 1.0, "p95_ms": 2.0}
        run.event(EventKind.LOAD, figures)
    story = tell(told(run)[1], {})
    assert [point.rate for point in story.load] == [30, 30, 30, 15, 30]
    assert story.load[0].failures == 2


def test_a_measured_outage_counts_once_and_names_the_fault_it_falls_under(tmp_path: Path) -> None:
    """The journal has it twice: as a stretch of the path while it happened, and in the measurement afterwards."""
    run = Recorder(tmp_path / "run", requirements=())
    run.wait(10)
    run.hurt("kill_process", "pod/openstack/openstack-galera-0", hold=5)
    run.event(EventKind.PATH, {"path": "sql", "from": run.at(10.2), "to": run.at(11), "outcome": "fail", "detail": ""})
    run.outage("sql", 8, 16, (10.19, 11.01))
    story = tell(told(run)[1], {})
    assert [(outage.path, outage.took_s, outage.during) for outage in story.outages] == [
        ("sql", 0.82, ("kill_process",))
    ]


def test_an_outage_stands_on_the_axis_where_and_as_wide_as_it_was(tmp_path: Path) -> None:
    """A tenth of the axis long, in its middle; the seconds stand beside it."""
    run = Recorder(tmp_path / "run", requirements=())
    run.phase("x")
    run.outage("http", 0, 10, (4.5, 5.5))
    run.wait(10)
    story = tell(told(run)[1], {})
    drawing = str(timeline(story, START, START + timedelta(seconds=10)))
    # The plot runs from 132 to 1146: 101.4 for each second.
    assert 'class="outage"' in drawing
    assert 'x="588.3"' in drawing
    assert 'width="101.4"' in drawing
    assert ">1.00 s<" in drawing


NAMES = st.integers(min_value=0, max_value=12)


@given(st.lists(st.tuples(NAMES, NAMES, st.sampled_from(["allowed", "forbidden", "unproven"])), max_size=60))
def test_boxes_of_any_map_do_not_overlap_and_lines_end_at_their_boxes(pairs: list[tuple[int, int, str]]) -> None:
    """Whatever talks to whatever, also to itself and in circles."""
    boxes = tuple(Box(f"s{n}", Column(n % 4), (Part(f"c{n}", ""), Part("other", ""))) for n in range(13))
    links = tuple(Link(End(f"s{a}", f"c{a}"), End(f"s{b}", f"c{b}"), "http", ruling, "") for a, b, ruling in pairs)
    plan = place(Wiring(boxes, links, 1.0, 1, 1, 1, ()))
    for column in range(len(plan.xs)):
        stacked = sorted((node for node in plan.placed if node.column == column), key=lambda node: node.y)
        assert all(a.y + a.height <= b.y for a, b in pairwise(stacked))
    home = {node.box.name: node for node in plan.placed if node.box}
    for route in plan.routes:
        for (x, y), end in ((route.points[0], route.link.source), (route.points[-1], route.link.sink)):
            node = home[end.box]
            assert x in (plan.xs[node.column], plan.xs[node.column] + BOX_WIDTH)
            assert node.y <= y <= node.y + node.height
    assert all(node.y >= 0 and node.y + node.height <= plan.height for node in plan.placed)
