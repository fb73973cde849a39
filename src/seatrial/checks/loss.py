"""What outages and ledgers say, judged the same way wherever a promise speaks of loss."""

from __future__ import annotations

from seatrial.checks.reading import mapping, mappings, number, whole
from seatrial.checks.weighing import Weighing, listed
from seatrial.model.observation import Evidence, Observation

_HOLD = "hold"
_DEFAULT_HOLD_S = 10.0


def judge_hold(evidence: Evidence, weighing: Weighing) -> str:
    """Weigh whether what was hurt is proven to have stayed so for the budget *hold*; return what else is to be said.

    A frozen container that its liveness probe starts anew later than that is a deployment that helps itself: the loss
    was long enough to be one, and no longer.
    """
    least_s = evidence.budgets.get(_HOLD, _DEFAULT_HOLD_S)
    told: list[str] = []
    looks: dict[str, list[Observation]] = {}
    for look in evidence.of("fault.still_held"):
        looks.setdefault(look.subject, []).append(look)
    for subject, again in looks.items():
        weighing.saw(*again)
        began = [o for o in evidence.of("fault.took_hold") if o.subject == subject and o.seen]
        last = max((o.asked_at for o in again if o.seen and mapping(o.value).get("held") is True), default=None)
        if last is None or not began or (last - began[0].asked_at).total_seconds() < least_s:
            why = f"the hold was shorter than wanted: {subject} is not proven to have been hurt for {least_s:g} s"
            weighing.doubt(why, *again)
        elif again[-1].seen and mapping(again[-1].value).get("held") is not True:
            told.append(f"{subject} was back before the hold ended")
    return f" ({'; '.join(told)})" if told else ""


def judge_outage(evidence: Evidence, weighing: Weighing, path: str, budget_s: float, *, together: bool = False) -> None:
    """Weigh the outages of one path: none may be longer than the budget, nor, with ``together``, all of them.

    One instance of several that does not serve makes many short outages, each over as soon as the next client meets
    another instance; where no loss at all is promised, they count together.
    """
    measured = [o for o in evidence.of("outage") if o.subject == f"path/{path}"]
    weighing.blind(*[o for o in measured if not o.seen])
    if not measured:
        weighing.doubt(f"path {path} was not measured")
    for outage in (o for o in measured if o.seen):
        _judge_one(outage, weighing, path, budget_s, together=together)


def _judge_one(outage: Observation, weighing: Weighing, path: str, budget_s: float, *, together: bool) -> None:
    value = mapping(outage.value)
    longest, blind = number(value["longest_s"]), number(value.get("blind_s") or 0.0)
    out = number(value["total_s"]) if together else longest
    if longest > budget_s:
        why = f"path {path} gave no service for {longest:.2f} s, more than {budget_s:g} s"
        weighing.bad(outage.subject, why, outage)
    elif out > budget_s:
        share = f"{whole(value['fail'])} of {whole(value['asked'])} times"
        why = f"path {path} failed {share}, {out:.2f} s in all, more than {budget_s:g} s"
        weighing.bad(outage.subject, why, outage)
    elif whole(value["ok"]) == 0:
        weighing.doubt(f"path {path} never gave service, so nothing can be said of its loss", outage)
    elif out + blind > budget_s:
        # While the measuring client itself was stuck the path may have been out all the time.
        told = f"path {path} gave no service for {out:.2f} s and was not watched for another {blind:.2f} s"
        weighing.doubt(f"{told}: together more than {budget_s:g} s", outage)
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
            missing = sorted({str(entry.get("where", "")) for entry in lost})
            names = listed([str(entry.get("id", "?")) for entry in lost])
            # The list is cut short after some; the count is not.
            count = whole(value.get("lost_count", len(lost)))
            told = f"{count} acknowledged {kind} lost ({names}; not found on {', '.join(missing)})"
            weighing.bad(ledger.subject, told, ledger)
        elif unread := mappings(value.get("unread") or []):
            places = listed([str(entry.get("where", "")) for entry in unread])
            weighing.doubt(f"{kind} could not be looked for on {places}", ledger)
        elif acknowledged == 0:
            weighing.doubt(f"no {kind} was acknowledged, so none could be lost", ledger)
        elif not mapping(value["found"]):
            weighing.doubt(f"nobody looked for the {kind} of the ledger afterwards", ledger)
        else:
            weighing.good(ledger.subject, ledger)
