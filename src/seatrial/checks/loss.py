"""What outages and ledgers say, judged the same way wherever a promise speaks of loss."""

from __future__ import annotations

from seatrial.checks.reading import mapping, mappings, number, whole
from seatrial.checks.weighing import Weighing, listed
from seatrial.model.observation import Evidence, Observation

_BLIND_S = 1.0
"""Longest time for which a measuring client may itself have been stuck; beyond it nobody knows what went on."""


def judge_outage(evidence: Evidence, weighing: Weighing, path: str, budget_s: float) -> None:
    """Weigh the outages of one path: none may be longer than the budget."""
    measured = [o for o in evidence.of("outage") if o.subject == f"path/{path}"]
    weighing.blind(*[o for o in measured if not o.seen])
    if not measured:
        weighing.doubt(f"path {path} was not measured")
    for outage in (o for o in measured if o.seen):
        _judge_one(outage, weighing, path, budget_s)


def _judge_one(outage: Observation, weighing: Weighing, path: str, budget_s: float) -> None:
    value = mapping(outage.value)
    longest, blind = number(value["longest_s"]), number(value.get("blind_s") or 0.0)
    if longest > budget_s:
        why = f"path {path} gave no service for {longest:.2f} s, more than {budget_s:g} s"
        weighing.bad(outage.subject, why, outage)
    elif whole(value["ok"]) == 0:
        weighing.doubt(f"path {path} never gave service, so nothing can be said of its loss", outage)
    elif blind > _BLIND_S:
        weighing.doubt(f"path {path} was not watched for {blind:.2f} s", outage)
    else:
        weighing.good(outage.subject, outage)


def judge_ledger(evidence: Evidence, weighing: Weighing, kind: str) -> None:
    """Weigh a ledger: every acknowledged entry must be found wherever it was looked for."""
    kept = [o for o in evidence.of("ledger") if o.subject == f"ledger/{kind}"]
    weighing.blind(*[o for o in kept if not o.seen])
    if not kept:
        weighing.doubt(f"no ledger of {kind} was kept")
    for ledger in (o for o in kept if o.seen):
        value = mapping(ledger.value)
        lost = mappings(value["lost"])
        acknowledged = whole(value["acknowledged"])
        if lost:
            places = sorted({str(entry.get("where", "")) for entry in lost})
            names = listed([str(entry.get("id", "?")) for entry in lost])
            told = f"{len(lost)} acknowledged {kind} lost ({names}; not found on {', '.join(places)})"
            weighing.bad(ledger.subject, told, ledger)
        elif acknowledged == 0:
            weighing.doubt(f"no {kind} was acknowledged, so none could be lost", ledger)
        elif not mapping(value["found"]):
            weighing.doubt(f"nobody looked for the {kind} of the ledger afterwards", ledger)
        else:
            weighing.good(ledger.subject, ledger)
