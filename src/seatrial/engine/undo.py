"""Taking hurts back: in a run at its turn, and after a killed run from its journal alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from seatrial import waiting
from seatrial.clients.deployment import Deployment
from seatrial.faults import build
from seatrial.journal.codec import encode, to_json
from seatrial.journal.folder import RunFolder
from seatrial.journal.reader import open_injections
from seatrial.journal.writer import JournalWriter
from seatrial.model.errors import BadInput, Problem, SeatrialError, UndoFailed, Unreachable
from seatrial.model.fault import Fault, Injection
from seatrial.model.journal import EventKind
from seatrial.model.observation import Observation


def take_back(
    deployment: Deployment,
    journal: JournalWriter,
    fault: Fault,
    injection: Injection,
    *,
    record: Callable[[Observation], Observation],
) -> Observation:
    """Undo one injection and prove that it is gone; raises UndoFailed with the recipe when that can't be shown.

    The journal says *undone* only after the proof, so that a kill at any moment leaves the injection open and a later
    ``undo`` tries again: it is idempotent.
    """
    journal.append(EventKind.UNDOING, {"injection": injection.id})
    patience = waiting.seconds(deployment.target.budgets, "undo_retry")
    try:
        # What was hurt is often what has to answer now: one lost request must not taint a deployment.
        waiting.persist(lambda: fault.undo(deployment, injection), (Unreachable,), within_s=patience, every_s=2)
        gone = record(fault.is_gone(deployment, injection))
    except SeatrialError as error:
        raise _failed(journal, injection, str(error)) from error
    if not (gone.seen and isinstance(gone.value, Mapping) and gone.value.get("gone") is True):
        raise _failed(journal, injection, gone.error or f"still there: {json.dumps(to_json(gone.value))}")
    journal.append(EventKind.UNDONE, {"injection": injection.id})
    return gone


def _failed(journal: JournalWriter, injection: Injection, why: str) -> UndoFailed:
    journal.append(EventKind.UNDO_FAILED, {"injection": injection.id, "why": why})
    return UndoFailed(f"{describe(injection)} could not be taken back: {why}\n  by hand: {recipe(injection)}")


def describe(injection: Injection) -> str:
    """Return what an injection is, in one line for a person."""
    return f"{injection.fault} of {', '.join(injection.subjects) or 'nothing'} ({injection.id})"


def recipe(injection: Injection) -> str:
    """Return what a person needs to take it back by hand."""
    return json.dumps(to_json(injection.recipe))


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of one injection that a run had left open."""

    injection: Injection
    failure: str | None = None


def left_behind(folder: RunFolder) -> list[Injection]:
    """Return what a run has put into the deployment and not been proven to have taken back, oldest first."""
    return [injection for injection, _ in open_injections(folder.events())]


def undo_run(
    folder: RunFolder, deployment: Deployment, *, tell: Callable[[Undone], None] = lambda _: None
) -> list[Undone]:
    """Take back all that a run left behind, last first; ``tell`` hears of each.

    Raises BadInput when the run is still writing or its journal names a fault that this version does not know. One that
    fails does not keep the others from being taken back.
    """
    with JournalWriter(folder.journal) as journal:
        results: list[Undone] = []
        for injection in reversed(left_behind(folder)):
            fault = _fault_of(folder.journal, injection)
            failure = None
            try:
                take_back(deployment, journal, fault, injection, record=_recorder(journal))
            except UndoFailed as error:
                failure = str(error)
            results.append(Undone(injection, failure))
            tell(results[-1])
        return results


def _recorder(journal: JournalWriter) -> Callable[[Observation], Observation]:
    def record(observation: Observation) -> Observation:
        journal.append(EventKind.OBSERVATION, encode(observation))
        return observation

    return record


def _fault_of(journal: Path, injection: Injection) -> Fault:
    try:
        return build(injection.fault, injection.parameters)
    except BadInput as error:
        found = f"{describe(injection)}: {error}"
        raise BadInput([Problem(str(journal), found, "a fault that this version can take back")]) from error
