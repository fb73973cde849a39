"""Scales: where a value or a moment lies on paper, and which marks a person can read there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_STEPS_S = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
_DAY_S = 86400


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A stretch of UTC laid along the x axis."""

    start: datetime
    end: datetime
    left: float
    right: float

    @property
    def span_s(self) -> float:
        """Return how many seconds the axis covers; never zero."""
        return max((self.end - self.start).total_seconds(), 1e-3)

    def x(self, moment: datetime) -> float:
        """Return where a moment lies, kept within the axis."""
        share = (moment - self.start).total_seconds() / self.span_s
        return self.left + min(max(share, 0.0), 1.0) * (self.right - self.left)

    def covers(self, start: datetime, end: datetime) -> bool:
        """Tell whether a stretch shows on this axis at all."""
        return start <= self.end and self.start <= end

    def marks(self, most: int = 10) -> list[tuple[datetime, str]]:
        """Return at most about ``most`` round moments, each with its label; the first of a day carries the date."""
        step = next((s for s in _STEPS_S if self.span_s / s <= most), None)
        step = step or _DAY_S * max(1, math.ceil(self.span_s / _DAY_S / most))
        first = math.ceil(round(self.start.timestamp() / step, 6)) * step
        marks: list[tuple[datetime, str]] = []
        days: set[str] = set()
        several = self.start.astimezone(UTC).date() != self.end.astimezone(UTC).date()
        for index in range(int((self.end.timestamp() - first) // step) + 1):
            moment = datetime.fromtimestamp(first, UTC) + timedelta(seconds=index * step)
            if not self.start <= moment <= self.end:  # by a rounding error
                continue
            marks.append((moment, _label(moment, step, days if several else None)))
        return marks


def _label(moment: datetime, step: float, days: set[str] | None) -> str:
    if step >= _DAY_S:
        return f"{moment:%m-%d}"
    if step >= 60:
        clock = f"{moment:%H:%M}"
    elif step >= 1:
        clock = f"{moment:%H:%M:%S}"
    else:
        digits = 2 if step < 0.1 else 1
        clock = f"{moment:%H:%M:%S}.{moment.microsecond // 10 ** (6 - digits):0{digits}d}"
    date = f"{moment:%m-%d}"
    if days is None or date in days:
        return clock
    days.add(date)
    return f"{date} {clock}"


def ceiling(value: float) -> float:
    """Return the round number at or above a value that an axis may end at: 1, 2, 2.5, 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value * (1 - 1e-9))


def figure(value: float) -> str:
    """Word a number of an axis without needless digits: ``0.5``, ``250``, ``12,000``."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:g}"
