"""How long users of the load waited for any answer: a figure beside the outages of measured paths."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from seatrial.reporting.sentence import longest_silence
from seatrial.reporting.story import LoadPoint

START = datetime(2026, 1, 1, tzinfo=UTC)


def load(*rates: float, users: int = 4, failures: float = 0.0) -> list[LoadPoint]:
    """One point a second."""
    return [LoadPoint(START + timedelta(seconds=i), rate, failures, None, users) for i, rate in enumerate(rates)]


def test_seconds_without_an_answer_count_together() -> None:
    """Six empty seconds between two that had answers are six seconds."""
    assert longest_silence(load(3, 0, 0, 0, 0, 0, 0, 5, 0, 2)) == (6.0, START + timedelta(seconds=6))


def test_a_failed_request_is_no_answer_and_two_loads_are_not_one() -> None:
    """Only what succeeded counts; a pause between two scenarios is nobody's wait; nobody waits without users."""
    assert longest_silence([*load(3), *load(2, 2, failures=2.0)[1:]])[0] == 1.0
    apart = [*load(3, 0), *(LoadPoint(START + timedelta(seconds=60 + i), 0, 0, None, 4) for i in range(2))]
    assert longest_silence(apart)[0] == 1.0
    assert longest_silence(load(3, 0, 0, users=0)) == (0.0, None)


@given(st.lists(st.integers(0, 3), max_size=30))
def test_it_is_the_longest_run_of_empty_seconds(rates: list[int]) -> None:
    """Whatever the load: the first point has nobody before it, so it begins nothing."""
    runs = "".join("x" if rate == 0 else " " for rate in rates[1:]).split(" ")
    assert longest_silence(load(*rates))[0] == max((len(run) for run in runs), default=0)
