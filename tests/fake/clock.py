"""Time that passes only when somebody waits for it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from seatrial import waiting
from seatrial.engine import proving


class Clock:
    """A monotonic clock that sleeping moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(0.0, seconds)


def installed(patch: pytest.MonkeyPatch) -> Clock:
    """Put such a clock wherever the harness waits: deadlines of minutes are over in no time."""
    clock = Clock()
    time = SimpleNamespace(monotonic=clock.monotonic, sleep=clock.sleep)
    patch.setattr("tenacity.time", time)
    patch.setattr("tenacity.nap.time", time)
    for module in (waiting, proving):
        patch.setattr(module, "monotonic", clock.monotonic)
    patch.setattr(waiting, "sleep", clock.sleep)
    return clock
