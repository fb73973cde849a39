"""Laws of the outage arithmetic: whatever the samples, the sums hold; a known outage is measured as long as it was."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.traffic.outage import BLIND_AFTER_S, Measured, Sample, measure, stretches

EVERY_S = 0.02
# Milliseconds as whole numbers: quick to generate, and ties are as likely as they are on a real machine.
samples = st.lists(
    st.builds(
        lambda asked, took, detail: Sample(asked / 1000, (asked + took) / 1000, detail),
        st.integers(0, 100_000),
        st.integers(0, 5_000),
        st.sampled_from([None, "refused", "no answer"]),
    ),
    max_size=40,
)


def watched(made: list[Sample]) -> Measured:
    return measure(made, start=0.0, end=120.0)


@given(samples)
def test_every_question_is_counted_once_and_ends_well_or_not(made: list[Sample]) -> None:
    """ok + fail = asked."""
    measured = watched(made)
    assert measured.asked == len(made)
    assert measured.ok == sum(sample.ok for sample in made)


@given(samples)
def test_outages_are_ordered_disjoint_and_add_up(made: list[Sample]) -> None:
    """Their sum is the total, the longest is among them, and none overlaps the next."""
    measured = watched(made)
    lengths = [outage.took_s for outage in measured.outages]
    assert measured.total_s == pytest.approx(sum(lengths))
    assert measured.longest_s == max(lengths, default=0.0)
    assert all(length >= 0 for length in lengths)
    assert all(a.end <= b.start for a, b in pairwise(measured.outages))
    assert measured.total_s <= measured.end - measured.start


@given(samples)
def test_a_failed_question_lies_in_an_outage_and_an_answer_never_inside_one(made: list[Sample]) -> None:
    """A question that nobody answered was asked in an outage; no answer came strictly within one."""
    measured = watched(made)
    for sample in made:
        if sample.ok:
            assert not any(outage.start < sample.ended < outage.end for outage in measured.outages)
        else:
            assert any(outage.start <= sample.asked <= outage.end for outage in measured.outages)


@given(samples.flatmap(lambda made: st.tuples(st.just(made), st.permutations(made))))
def test_the_order_in_which_samples_arrive_does_not_matter(both: tuple[list[Sample], list[Sample]]) -> None:
    """Threads report in any order."""
    first, again = watched(both[0]), watched(both[1])
    assert [(o.start, o.end) for o in again.outages] == [(o.start, o.end) for o in first.outages]
    assert again.blind == first.blind


@given(samples)
def test_stretches_cover_the_whole_watch_without_gap_or_overlap(made: list[Sample]) -> None:
    """From start to end, each stretch begins where the one before ended."""
    measured = watched(made)
    told = stretches(measured)
    assert told[0][0] == measured.start
    assert told[-1][1] == measured.end
    assert all(a[1] == b[0] for a, b in pairwise(told))
    assert sum(end - start for start, end, outcome, _ in told if outcome == "fail") == pytest.approx(measured.total_s)


@given(samples)
def test_nothing_is_known_of_a_blind_stretch(made: list[Sample]) -> None:
    """No question was open in it, and it is longer than a hiccup."""
    for start, end in watched(made).blind:
        assert end - start > BLIND_AFTER_S
        assert not any(sample.asked < end and sample.ended > start for sample in made)


@given(
    began=st.floats(1, 5, allow_nan=False),
    lasted=st.floats(0.05, 10, allow_nan=False),
    gives_up_s=st.floats(0.001, 3, allow_nan=False),
)
def test_a_known_outage_is_measured_to_two_intervals(began: float, lasted: float, gives_up_s: float) -> None:
    """However long a client waits before it gives up, the measured length is right to the cadence of asking."""
    made = []
    for number in range(1000):
        asked = number * EVERY_S
        down = began <= asked < began + lasted
        made.append(Sample(asked, asked + (gives_up_s if down else 0.001), "no answer" if down else None))
    measured = measure(made, start=0.0, end=30.0)
    assert len(measured.outages) == 1
    assert abs(measured.longest_s - lasted) <= 2 * EVERY_S
    assert measured.longest_s - measured.resolution_s * 2 <= lasted + 1e-6


def test_an_outage_that_never_ends_reaches_to_the_end_of_the_watch() -> None:
    """And says that it was not over."""
    measured = measure([Sample(1, 1.1), Sample(2, 2.1, "refused")], start=0, end=10)
    assert [(o.start, o.end) for o in measured.outages] == [(1.1, 10)]
    assert "not over" in measured.outages[0].detail


def test_a_path_that_was_never_asked_is_blind_not_well() -> None:
    """No sample, no outage, and nothing is known."""
    measured = measure([], start=0, end=10)
    assert (measured.asked, measured.outages, measured.blind_s) == (0, (), 10)


def test_a_question_that_is_open_when_the_watch_ends_is_no_blindness() -> None:
    """It was asked, and its answer is on its way."""
    measured = measure([Sample(0.1, 0.2), Sample(0.3, 4.0)], start=0, end=2)
    assert (measured.blind, measured.ok, measured.outages) == ((), 2, ())
