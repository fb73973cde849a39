"""From stored evidence to verdicts: during a run, and again later from its folder alone."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from seatrial.checks import CHECKS
from seatrial.journal import reader
from seatrial.journal.codec import decode, to_json
from seatrial.journal.folder import RunFolder, as_stored, save_text
from seatrial.journal.sieve import clean, sieved
from seatrial.model.errors import BadInput, Problem
from seatrial.model.inventory import Inventory
from seatrial.model.journal import Event, EventKind
from seatrial.model.observation import Evidence, Observation, ObservationId
from seatrial.model.requirement import RequirementId
from seatrial.model.run import Run
from seatrial.model.verdict import Outcome, Verdict, merge

T = TypeVar("T")


def judge(evidence: Evidence, *, attach: Callable[[str], None] = lambda _: None) -> Verdict:
    """Let the requirement's check judge; whatever it raises is *inconclusive*; ``attach`` gets the traceback."""
    check = CHECKS.get(evidence.requirement)
    if check is None:
        return blind(evidence.requirement, "no check of this version judges it", evidence.observations)
    try:
        return as_stored(check(evidence))
    except Exception as error:  # the engine's boundary: a check that breaks has not judged
        attach(traceback.format_exc())
        because = clean(f"its check broke: {type(error).__name__}: {error}")
        return blind(evidence.requirement, because, evidence.observations)


def blind(requirement: RequirementId, because: str, observations: Iterable[Observation] = ()) -> Verdict:
    """Return the engine's own verdict, the only one that no check gives: it could not be told."""
    return Verdict(requirement, Outcome.INCONCLUSIVE, because, seen=tuple(o.id for o in observations))


def merged(requirement: RequirementId, verdicts: Sequence[Verdict]) -> Verdict:
    """Return one verdict on a requirement from those of its scenarios; from none, *inconclusive*."""
    outcome = merge(verdict.outcome for verdict in verdicts)
    if not verdicts:
        return Verdict(requirement, outcome, "nothing was observed for it")
    deciding = [verdict for verdict in verdicts if verdict.outcome is outcome]
    violating = _unique(subject for verdict in verdicts for subject in verdict.violating)
    return Verdict(
        requirement=requirement,
        outcome=outcome,
        because="; ".join(_unique(verdict.because for verdict in deciding)),
        conforming=tuple(
            subject
            for subject in _unique(subject for verdict in verdicts for subject in verdict.conforming)
            if subject not in violating
        ),
        violating=violating,
        seen=_unique(seen for verdict in verdicts for seen in verdict.seen),
    )


@dataclass(frozen=True, slots=True)
class _Judgement:
    """One judgement of a stored run: what was decided, and on which evidence, if a check decided it."""

    requirement: RequirementId
    scenario: str
    evidence: Event | None
    verdict: Verdict | None


def judge_again(path: RunFolder | Path) -> Run:
    """Judge a stored run once more from its files alone, with this version's checks; nothing is written.

    Raises BadInput when the folder is no run or contradicts itself. A run that was killed is judged by what it has:
    requirements of its plan without evidence are *inconclusive*.
    """
    folder = path if isinstance(path, RunFolder) else RunFolder.open(path)
    run = folder.load_run()
    events = folder.events()
    observations = {observation.id: observation for observation in reader.observations(events)}
    verdicts: dict[RequirementId, list[Verdict]] = {requirement: [] for requirement in run.plan.requirements}
    inventories: dict[str, Inventory] = {}
    for judgement in _judgements(events):
        verdict = judgement.verdict
        if judgement.evidence is not None:
            evidence = _evidence(folder, run, judgement.evidence, observations, inventories)
            verdict = judge(evidence)
        if verdict is not None:
            verdicts.setdefault(judgement.requirement, []).append(verdict)
    return replace(run, verdicts=tuple(merged(requirement, found) for requirement, found in verdicts.items()))


def _judgements(events: Sequence[Event]) -> Iterator[_Judgement]:
    """Yield each judgement once: an evidence event (with or without the verdict after it), or a verdict without one."""
    for event in events:
        scenario = str(event.data.get("scenario", ""))
        if event.kind is EventKind.EVIDENCE:
            yield _Judgement(RequirementId(str(event.data.get("requirement"))), scenario, event, None)
        elif event.kind is EventKind.VERDICT and event.data.get("evidence") is None:
            verdict = decode(Verdict, event.data.get("verdict"), where=f"journal event {event.seq}")
            yield _Judgement(verdict.requirement, scenario, None, verdict)


def _evidence(
    folder: RunFolder,
    run: Run,
    event: Event,
    observations: Mapping[ObservationId, Observation],
    inventories: dict[str, Inventory],
) -> Evidence:
    """Put together again what a check saw."""
    name, ids = event.data.get("inventory"), event.data.get("observations")
    where = f"{folder.journal}, event {event.seq}"
    if not isinstance(name, str) or not isinstance(ids, list):
        raise BadInput([Problem(where, "incomplete evidence", "inventory and observations")])
    missing = [str(key) for key in ids if key not in observations]
    if missing:
        raise BadInput([Problem(where, f"observations that are not there: {', '.join(missing)}", "the whole journal")])
    if name not in inventories:
        inventories[name] = folder.load_inventory(name)
    return Evidence(
        requirement=RequirementId(str(event.data.get("requirement"))),
        inventory=inventories[name],
        observations=tuple(observations[ObservationId(str(key))] for key in ids),
        budgets=run.plan.budgets,
    )


def save_evidence(folder: RunFolder, number: int, evidence: Evidence, verdict: Verdict, inventory: str) -> None:
    """Store what a check saw and said as one file that a person can read beside the report."""
    data = {
        "requirement": evidence.requirement,
        "verdict": verdict,
        "inventory": inventory,
        "budgets": evidence.budgets,
        "observations": evidence.observations,
    }
    text = json.dumps(sieved(to_json(data)), indent=1, allow_nan=False) + "\n"
    save_text(folder.evidence / f"{number:03d}-{evidence.requirement}.json", text)


def _unique(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))
