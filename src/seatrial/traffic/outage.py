"""The arithmetic of outages: from questions asked every few milliseconds to stretches without service. Pure.

A question that was answered shows service at the moment of its answer. One that was not shows the lack of it at the
moment when it was *asked*, not when patience ran out: attempts overlap, and one that was asked during an outage may
time out long after the path works again.

Worked example, asked every 20 ms: answers at 0.00 and 0.02, questions at 0.04 ... 4.98 unanswered (some of them until
6.98), an answer at 5.01. The outage is from 0.02 to 5.01, known to within 30 ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from seatrial.model.errors import HarnessBug

BLIND_AFTER_S = 0.5
"""So long after the last question has ended, nobody knows how the path is. Scheduling hiccups are shorter."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One question on a path: when asked, when it ended (seconds since the epoch), and why it failed (None: ok)."""

    asked: float
    ended: float
    detail: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it was answered."""
        return self.detail is None

    def moved(self, seconds: float) -> Sample:
        """Return the same sample by a clock that is so much ahead."""
        return Sample(self.asked + seconds, self.ended + seconds, self.detail)

    @property
    def shows_at(self) -> float:
        """Return the moment that it tells something about."""
        return self.ended if self.ok else self.asked


@dataclass(frozen=True, slots=True)
class Outage:
    """From the last answer before to the first answer after; either end is the watch's where there was none."""

    start: float
    end: float
    detail: str
    within_s: float
    """How far the true length may be below the measured one."""

    @property
    def took_s(self) -> float:
        """Return how long it lasted."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Measured:
    """How a path fared while it was watched."""

    start: float
    end: float
    asked: int
    ok: int
    outages: tuple[Outage, ...]
    blind: tuple[tuple[float, float], ...]
    """Stretches of which nothing is known."""
    resolution_s: float
    slowest_s: float
    """The slowest good answer."""

    @property
    def longest_s(self) -> float:
        """Return the longest outage; 0 without any."""
        return max((outage.took_s for outage in self.outages), default=0.0)

    @property
    def total_s(self) -> float:
        """Return the sum of all outages."""
        return sum(outage.took_s for outage in self.outages)

    @property
    def blind_s(self) -> float:
        """Return how long nothing is known of."""
        return sum(end - start for start, end in self.blind)


def measure(samples: Iterable[Sample], *, start: float, end: float) -> Measured:
    """Return what the samples say about the path between ``start`` and ``end`` (seconds since the epoch)."""
    if end < start:
        msg = f"a watch that ends ({end}) before it starts ({start})"
        raise HarnessBug(msg)
    # What was asked before the end may be answered after it; that it was open is knowledge of the time before.
    inside = [
        Sample(sample.asked, min(sample.ended, end), sample.detail)
        for sample in samples
        if start <= sample.asked <= end
    ]
    # Of two at one moment the failure comes first, so that an answer right after it ends the outage.
    ordered = sorted(inside, key=lambda sample: (sample.shows_at, sample.ok))
    outages = _outages(ordered, start, end)
    return Measured(
        start=start,
        end=end,
        asked=len(ordered),
        ok=sum(sample.ok for sample in ordered),
        outages=outages,
        blind=_blind(ordered, start, end),
        resolution_s=max((outage.within_s for outage in outages), default=_spacing(ordered)),
        slowest_s=max((sample.ended - sample.asked for sample in ordered if sample.ok), default=0.0),
    )


def stretches(measured: Measured) -> list[tuple[float, float, str, str]]:
    """Return (from, to, outcome, detail) of the whole watch without gaps: ok, fail, or unknown where nothing is known.

    An outage that spans a blind stretch stays one outage: nobody was seen to be answered in it.
    """
    marks = [(outage.start, outage.end, "fail", outage.detail) for outage in measured.outages]
    for start, end in measured.blind:
        marks += [(*piece, "unknown", "nothing was asked") for piece in _outside(start, end, measured.outages)]
    told: list[tuple[float, float, str, str]] = []
    at = measured.start
    for start, end, outcome, detail in sorted(marks):
        if start > at:
            told.append((at, start, "ok", ""))
        told.append((start, end, outcome, detail))
        at = max(at, end)
    if at < measured.end:
        told.append((at, measured.end, "ok", ""))
    return told


def _outages(ordered: Sequence[Sample], start: float, end: float) -> tuple[Outage, ...]:
    found: list[Outage] = []
    last_ok = start
    first_failure: Sample | None = None
    last_asked = start
    for sample in ordered:
        if sample.ok and first_failure is not None:
            unsure = max(first_failure.asked - last_ok, sample.ended - last_asked)
            found.append(Outage(last_ok, sample.ended, first_failure.detail or "", unsure))
            first_failure = None
        elif not sample.ok:
            first_failure = first_failure or sample
            last_asked = sample.asked
        if sample.ok:
            last_ok = sample.ended
    if first_failure is not None:
        detail = f"{first_failure.detail} (not over when the watch ended)"
        found.append(Outage(last_ok, end, detail, max(first_failure.asked - last_ok, end - last_asked)))
    return tuple(found)


def _blind(ordered: Sequence[Sample], start: float, end: float) -> tuple[tuple[float, float], ...]:
    """Return the stretches in which no question was open, nor had just ended."""
    gaps: list[tuple[float, float]] = []
    known = start
    for sample in sorted(ordered, key=lambda sample: sample.asked):
        if sample.asked > known + BLIND_AFTER_S:
            gaps.append((known, sample.asked))
        known = max(known, sample.ended)
    if end > known + BLIND_AFTER_S:
        gaps.append((known, end))
    return tuple(gaps)


def _outside(start: float, end: float, outages: Sequence[Outage]) -> list[tuple[float, float]]:
    pieces: list[tuple[float, float]] = []
    at = start
    for outage in outages:
        if outage.end > at and outage.start < end:
            if outage.start > at:
                pieces.append((at, outage.start))
            at = outage.end
    if at < end:
        pieces.append((at, end))
    return pieces


def _spacing(ordered: Sequence[Sample]) -> float:
    """Return the typical distance between two questions; 0 when there were not two."""
    asked = sorted(sample.asked for sample in ordered)
    return median(after - before for before, after in pairwise(asked)) if len(asked) > 1 else 0.0
