"""Taking hurts back: in a run at its turn, and after a killed run from its journal alone."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from seatrial.clients.deployment import Deployment
from seatrial.engine import proving
from seatrial.engine.ending import listed, shielded
from seatrial.engine.identity import identify, require_same
from seatrial.engine.presence import Presence
from seatrial.faults import build
from seatrial.journal.codec import encode, to_json
from seatrial.journal.folder import RunFolder
from seatrial.journal.reader import open_injections, scan
from seatrial.journal.writer import JournalWriter
from seatrial.model.errors import BadInput, Problem, UndoFailed
from seatrial.model.fault import Fault, Injection
from seatrial.model.journal import EventKind
from seatrial.model.known import cut
from seatrial.model.observation import Observation

Write = Callable[[EventKind, Mapping[str, object]], object]
"""Writes an event down where that is possible: an undo that can't be written down is done all the same."""
_WHY = 300


def take_back(
    deployment: Deployment,
    fault: Fault,
    injection: Injection,
    *,
    write: Write,
    record: Callable[[Observation], object],
    waited_s: float = 0.0,
    under_way_s: float = 0.0,
) -> Observation:
    """Undo one injection and prove that it is gone; raises UndoFailed with what a person does when that can't be shown.

    The journal says *undone* only after the proof, so that a kill at any moment leaves the injection open and a later
    ``undo`` tries again: it is idempotent. ``waited_s``: how long the deployment has had to repair itself already;
    ``under_way_s``: how long its act may still be under way.
    """
    write(EventKind.UNDOING, {"injection": injection.id})
    try:
        gone = proving.taken_back(deployment, fault, injection, waited_s=waited_s, under_way_s=under_way_s)
    except BaseException as error:
        write(EventKind.UNDO_FAILED, {"injection": injection.id, "why": cut(f"{type(error).__name__}: {error}", _WHY)})
        raise
    record(gone)
    if not proving.says(gone, "gone"):
        why = cut(gone.error or f"still there: {json.dumps(to_json(gone.value))}", _WHY)
        write(EventKind.UNDO_FAILED, {"injection": injection.id, "why": why})
        by_hand = "".join(f"\n  by hand: {line}" for line in injection.by_hand)
        raise UndoFailed(f"{describe(injection)} could not be taken back: {why}{by_hand}")
    write(EventKind.UNDONE, {"injection": injection.id})
    return gone


def describe(injection: Injection) -> str:
    """Return what an injection is, in one line for a person."""
    return f"{injection.fault} of {listed(injection.subjects)} ({injection.id})"


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of one injection that a run had left open."""

    injection: Injection
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Behind:
    """What a run has put into a deployment and not been proven to have taken back, and what could not be read of it."""

    injections: tuple[Injection, ...]
    """Oldest first."""
    under_way: Mapping[str, datetime]
    """When the act of an injection (by id) began whose end nobody wrote down."""
    problems: tuple[Problem, ...]
    """Lines of its journal that say nothing to this version; all others count."""


def left_behind(folder: RunFolder) -> Behind:
    """Return what a run has left; every line of its journal that can be read counts, and nothing else is needed."""
    found = scan(folder.journal)
    injections = tuple(injection for injection, _ in open_injections(found.events))
    under_way: dict[str, datetime] = {}
    for event in found.events:
        if event.kind is EventKind.INJECTING:
            under_way[str(event.data.get("injection"))] = event.at_utc
        elif event.kind is EventKind.INJECTED:
            under_way.pop(str(event.data.get("injection")), None)
    return Behind(injections, under_way, found.problems)


def undo_run(
    folder: RunFolder,
    deployment: Deployment,
    *,
    tell: Callable[[Undone], None] = lambda _: None,
    presence: Presence | None = None,
) -> list[Undone]:
    """Take back all that a run left behind, last first; ``tell`` hears of each, and ``presence`` shows it.

    Raises BadInput when the run is still writing, when this is not the deployment on which it acted, or when another
    trial is going on there; nothing was touched then. One that fails, or that this version does not know, does not
    keep the others from being taken back.
    """
    with _journal(folder) as journal, shielded():
        left = left_behind(folder)
        behind = left.injections
        if behind:
            require_same(behind, identify(deployment))
        results: list[Undone] = []
        if presence is not None:
            presence.begin_undo()
        try:
            for injection in reversed(behind):
                done = _undone(deployment, journal, injection, under_way_s=_under_way(left.under_way.get(injection.id)))
                results.append(done)
                if presence is not None:
                    (presence.recovered if done.failure is None else presence.not_recovered)(injection)
                tell(done)
        finally:
            if presence is not None:
                presence.end(whole=len(results) == len(behind) and all(done.failure is None for done in results))
        return results


def presence_of_undo(folder: RunFolder, deployment: Deployment) -> Presence:
    """Return how an undo shows itself: with the Lease of its run, which it takes over when that run has died."""

    def still_open() -> list[str]:
        return [describe(injection) for injection in left_behind(folder).injections]

    # Who asks an undo to stop is not heard: it is what stopping a trial comes down to.
    return Presence(
        deployment, run=folder.id, suite="undo", still_open=still_open, limited=lambda _: None, ask=lambda _: None
    )


@contextmanager
def _journal(folder: RunFolder) -> Iterator[JournalWriter | None]:
    """Hold the journal, or nothing where it can only be read: what stands in it is taken back all the same."""
    try:
        writer = JournalWriter(folder.journal)
    except OSError as problem:
        if problem.errno not in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT):
            raise
        yield None
        return
    with writer:
        yield writer


def _under_way(since: datetime | None) -> float:
    """Return for how many seconds an act that began then may still be under way."""
    if since is None:
        return 0.0
    return min(proving.UNDER_WAY_S, max(0.0, proving.UNDER_WAY_S - (datetime.now(UTC) - since).total_seconds()))


def _undone(
    deployment: Deployment, journal: JournalWriter | None, injection: Injection, *, under_way_s: float
) -> Undone:
    def write(kind: EventKind, data: Mapping[str, object]) -> None:
        # What can't be written is told by the journal itself, which then still has it open.
        with suppress(OSError):
            if journal is not None:
                journal.append(kind, data)

    try:
        fault = build(injection.fault, injection.parameters)
    except BadInput as error:
        return Undone(injection, f"{describe(injection)}: {error}")
    try:
        take_back(
            deployment,
            fault,
            injection,
            write=write,
            record=lambda gone: write(EventKind.OBSERVATION, encode(gone)),
            under_way_s=under_way_s,
        )
    except Exception as error:  # whatever it is: the others are still there
        return Undone(injection, str(error) if isinstance(error, UndoFailed) else f"{type(error).__name__}: {error}")
    return Undone(injection)
