"""How a verdict becomes the end of a test; step definitions import ``settle`` from here."""

from __future__ import annotations

import pytest
from _pytest.outcomes import Failed

from seatrial.model.verdict import Outcome, Verdict


class Violated(Failed):
    """Ends a test whose promise was seen broken."""


class Inconclusive(Failed):
    """Ends a test whose promise could not be judged; shown as a category of its own, never as passed or skipped."""


def settle(verdict: Verdict) -> None:
    """End the step as the verdict says: go on, fail, fail as *inconclusive*, or skip with the inventory's reason."""
    told = f"{verdict.requirement}: {verdict.because}"
    if verdict.outcome is Outcome.VIOLATES:
        raise Violated(f"{told}\n  violating: {', '.join(verdict.violating)}", pytrace=False)
    if verdict.outcome is Outcome.INCONCLUSIVE:
        raise Inconclusive(told, pytrace=False)
    if verdict.outcome is Outcome.NOT_APPLICABLE:
        pytest.skip(told)
