"""OPS-2: operators correct drift within the reconcile budget, and conditions tell the truth.

Two halves, tried by different scenarios, because one of them disturbs: what each resource says of itself beside what
its workload is; and objects that were changed or deleted and had to be put right by their operators. Each is judged by
what was seen of it, and the sentence says which was not tried: true conditions do not show that drift is corrected. A
Galera is Ready with one member of several (rhoso-topology, section 2.2): that is its documented meaning, not a lie.

Not seen: the half that was not tried; operators and kinds of objects on which no drift was tried; drift inside pods;
conditions that lie for less than the reconcile budget, or while nobody looks; resources without a workload of their
own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from seatrial.checks.reading import held, mapping, mappings, number, text, whole
from seatrial.checks.weighing import Weighing, listed
from seatrial.model.observation import Evidence, Json, Observation
from seatrial.model.verdict import Verdict

_BUDGET = "operator_reconcile"
_DEFAULT_S = 60.0


def check(evidence: Evidence) -> Verdict:
    """Judge OPS-2."""
    weighing = Weighing(evidence)
    budget = evidence.budgets.get(_BUDGET, _DEFAULT_S)
    made = (*evidence.of("drift"), *evidence.of("drift.not_tried"))
    asked = evidence.of("resource.conditions")
    weighing.blind(*(o for o in (*made, *asked) if not o.seen))
    said: list[str] = []
    if made:
        said.append(_drift([o for o in made if o.seen], evidence, weighing, budget=budget))
    if asked:
        said.append(_conditions([o for o in asked if o.seen], weighing, budget))
    if not made and not asked:
        weighing.doubt("no drift was made for an operator to correct, and no resource was asked for its conditions")
    elif not made:
        said.append("drift was not tried in this scenario")
    elif not asked:
        said.append("conditions were not judged in this scenario")
    return weighing.verdict("; ".join(said))


def _drift(made: list[Observation], evidence: Evidence, weighing: Weighing, *, budget: float) -> str:
    """Weigh the half that disturbs; returns what can be said of it if nothing speaks against it."""
    drifts = [o for o in made if o.probe == "drift"]
    left_out = [o for o in made if o.probe == "drift.not_tried"]
    not_tried = "not tried: " + listed([f"{o.subject} ({text(mapping(o.value)['why'])})" for o in left_out])
    weighing.saw(*left_out)
    if not drifts:
        weighing.doubt("no drift was made for an operator to correct" + (f"; {not_tried}" if left_out else ""))
        return ""
    for drift in drifts:
        proofs = held(evidence, [drift.subject])
        if proofs:
            weighing.saw(*proofs)
            _judge_drift(drift, weighing, budget)
        else:
            # What was never changed needs no correction.
            weighing.doubt(f"{mapping(drift.value)['what']} of {drift.subject} was never seen to be made", drift)
    slowest = max(number(mapping(d.value)["took_s"]) for d in drifts)
    said = f"all {len(drifts)} drifts were corrected, the slowest in {slowest:.1f} s (budget {budget:g} s)"
    return f"{said}, {not_tried}" if left_out else said


def _conditions(looks: list[Observation], weighing: Weighing, budget: float) -> str:
    """Weigh the calm half; returns what can be said of it if nothing speaks against it."""
    by_subject: dict[str, list[Observation]] = defaultdict(list)
    for look in looks:
        by_subject[look.subject].append(look)
    claims = {subject: mapping(series[-1].value).get("ready") for subject, series in by_subject.items()}
    for subject, series in by_subject.items():
        _judge_conditions(subject, series, claims, weighing=weighing, budget=budget)
    return f"no resource of {len(by_subject)} says Ready while its workload is not"


def _judge_drift(drift: Observation, weighing: Weighing, budget: float) -> None:
    value = mapping(drift.value)
    what = f"{value['what']} of {drift.subject}"
    if not value["restored"]:
        weighing.bad(drift.subject, f"{what} was not corrected within {budget:g} s", drift)
    elif number(value["took_s"]) > budget:
        why = f"{what} was corrected after {number(value['took_s']):.1f} s, more than {budget:g} s"
        weighing.bad(drift.subject, why, drift)
    else:
        weighing.good(drift.subject, drift)


def _judge_conditions(
    subject: str, series: list[Observation], claims: Mapping[str, Json], *, weighing: Weighing, budget: float
) -> None:
    contradicting = [
        (look, parts) for look in series if (parts := _contradiction(subject, mapping(look.value), claims))
    ]
    if not contradicting:
        told = [o for o in series if mapping(o.value).get("workload") is not None]
        if told:
            weighing.good(subject, *told)
        weighing.saw(*series)
        return
    first, last = contradicting[0][0], contradicting[-1][0]
    parts = contradicting[-1][1]
    told_by = ", ".join(f"{p['subject']} {p['ready']} of {p['desired']}" for p in parts)
    known_s = max(number(p.get("unready_s") or 0.0) for p in parts)
    spread_s = (last.asked_at - first.asked_at).total_seconds() if len(contradicting) == len(series) else 0.0
    claim = f"{subject} says Ready while its workload is not ({told_by})"
    if max(known_s, spread_s) > budget:
        weighing.bad(subject, f"{claim} for {max(known_s, spread_s):.0f} s", first, last)
    elif contradicting[-1][0] is series[-1]:
        weighing.doubt(f"{claim}, but not yet for {budget:g} s", last)
    else:
        # It contradicted itself for a moment and then said the truth: that is what reconciling looks like.
        weighing.good(subject, *series)


def _contradiction(subject: str, value: Mapping[str, Json], claims: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """Return the parts of the workload that are not ready although the resource says Ready.

    A resource that repeats what one below it claims does not lie itself: the one below is the culprit.
    """
    workload = value.get("workload")
    if value.get("ready") != "True" or workload is None:
        return []
    return [
        part
        for part in mappings(mapping(workload)["parts"])
        if not _ready_enough(part) and (part["owner"] == subject or claims.get(text(part["owner"])) != "True")
    ]


def _ready_enough(part: Mapping[str, Json]) -> bool:
    desired, ready = whole(part["desired"]), whole(part["ready"])
    return ready >= desired or (text(part["made_by"]) == "Galera" and ready > 0)
