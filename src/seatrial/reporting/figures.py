"""From the journal's events to the figures of the report: rows, outages, load, ledger, and what was not seen."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from statistics import median

from seatrial.journal.reader import Judged
from seatrial.model.inventory import Inventory
from seatrial.model.journal import Event
from seatrial.model.observation import Json, ObservationId
from seatrial.model.requirement import Requirement, RequirementId
from seatrial.model.run import Run
from seatrial.model.verdict import Verdict, merge
from seatrial.reporting import plain
from seatrial.reporting.story import (
    OUTAGE,
    Blind,
    FaultBand,
    Findings,
    LedgerRow,
    LoadPoint,
    Outage,
    Row,
    Unseen,
    Watch,
)
from seatrial.reporting.words import clock

_KEPT_ERRORS = 200


def rows_of(
    run: Run,
    catalogue: Mapping[RequirementId, Requirement],
    judgements: Iterable[Judged],
    evidence: Mapping[str, Sequence[str]],
    watches: Sequence[Watch],
) -> tuple[Row, ...]:
    """Return one row per requirement of the plan or with a verdict: the worst first, then in the plan's order.

    A run that was killed has no verdicts in ``run.json``; those of its journal stand in, merged as the engine would.
    """
    stored = {verdict.requirement: verdict for verdict in run.verdicts}
    judged: dict[RequirementId, list[Judged]] = {}
    for one in judgements:
        judged.setdefault(one.verdict.requirement, []).append(one)
    rows = []
    for name in dict.fromkeys((*run.plan.requirements, *stored, *judged)):
        final = stored.get(name)
        ours = judged.get(name, [])
        rows.append(_row(name, catalogue.get(name), final, ours, seen=evidence.get(name, ()), watches=watches))
    return tuple(sorted(rows, key=lambda row: -row.outcome.weight))


def _row(
    name: RequirementId,
    requirement: Requirement | None,
    final: Verdict | None,
    judged: Sequence[Judged],
    *,
    seen: Sequence[str],
    watches: Sequence[Watch],
) -> Row:
    verdicts = [one.verdict for one in judged]
    outcome = final.outcome if final else merge(verdict.outcome for verdict in verdicts)
    decisive = [final] if final else [verdict for verdict in verdicts if verdict.outcome is outcome]
    evidence = dict.fromkeys(oid for verdict in (*decisive, *verdicts) for oid in verdict.seen)
    # A scenario measures more paths than one promise is about: those count that the verdicts rest on.
    ours = [watch for watch in watches if watch.observation in evidence]
    about_outage = requirement is None or OUTAGE in requirement.evidence
    evidence |= dict.fromkeys(ObservationId(oid) for oid in seen)
    everyone = decisive if final else verdicts
    return Row(
        id=name,
        requirement=requirement,
        outcome=outcome,
        because=decisive[0].because if decisive else "Not judged: the run ended before its turn.",
        conforming=tuple(dict.fromkeys(s for verdict in everyone for s in verdict.conforming)),
        violating=tuple(dict.fromkeys(s for verdict in everyone for s in verdict.violating)),
        judged=tuple(judged),
        evidence=tuple(evidence),
        watches=_worst(ours or [watch for watch in watches if about_outage and watch.observation in evidence]),
    )


def _worst(watches: Sequence[Watch]) -> tuple[Watch, ...]:
    """Return of each path the measurement with the longest outage."""
    worst: dict[str, Watch] = {}
    for watch in watches:
        if watch.path not in worst or watch.longest_s > worst[watch.path].longest_s:
            worst[watch.path] = watch
    return tuple(sorted(worst.values(), key=lambda watch: -watch.longest_s))


def watch_of(event: Event) -> Watch | None:
    """Return one measurement of one path, or None when the observation does not say when it was made."""
    value = plain.part(event.data, "value")
    times = plain.stretch(value)
    if times is None:
        return None
    return Watch(
        path=_path(event, value),
        start=times[0],
        end=times[1],
        resolution_s=plain.number(value, "resolution_s"),
        asked=plain.count(value, "asked"),
        failed=plain.count(value, "fail"),
        longest_s=plain.number(value, "longest_s") or 0.0,
        total_s=plain.number(value, "total_s") or 0.0,
        blind_s=plain.number(value, "blind_s") or 0.0,
        observation=ObservationId(plain.text(event.data, "id")),
    )


def _path(event: Event, value: Mapping[str, Json]) -> str:
    return plain.text(value, "path") or plain.text(event.data, "subject").rpartition("/")[2] or "unnamed"


def outages_of(
    measured: Iterable[Event], stretches: Iterable[Event], faults: Sequence[FaultBand], *, last: datetime
) -> tuple[Outage, ...]:
    """Return outages as measured; stretches of the journal fill in where a killed run left no measurement."""
    outages: dict[tuple[str, datetime], Outage] = {}
    watched: list[tuple[str, datetime, datetime]] = []
    for event in measured:
        value = plain.part(event.data, "value")
        path = _path(event, value)
        if (whole := plain.stretch(value)) is not None:
            watched.append((path, *whole))
        for one in plain.objects(value, "outages"):
            _add(outages, path, one, faults, last)
    for event in stretches:
        if plain.text(event.data, "outcome") == "fail":
            path, times = plain.text(event.data, "path") or "unnamed", plain.stretch(event.data)
            if times and not any(p == path and times[0] <= end and start <= times[1] for p, start, end in watched):
                _add(outages, path, event.data, faults, last)
    return tuple(sorted(outages.values(), key=lambda outage: (outage.start, outage.path)))


def _add(
    outages: dict[tuple[str, datetime], Outage],
    path: str,
    data: Mapping[str, Json],
    faults: Sequence[FaultBand],
    last: datetime,
) -> None:
    times = plain.stretch(data)
    if times is None:
        return
    start, end = times
    took = plain.number(data, "took_s")
    during = tuple(
        dict.fromkeys(
            f.injection.fault for f in faults if f.injected and f.injected <= end and start <= (f.ended or last)
        )
    )
    took_s = (end - start).total_seconds() if took is None else took
    outages.setdefault((path, start), Outage(path, start, end, took_s, plain.text(data, "detail"), during))


def blind_of(stretches: Iterable[Event]) -> tuple[Blind, ...]:
    """Return the stretches of which the journal says that nothing is known."""
    return tuple(
        Blind(plain.text(event.data, "path") or "unnamed", *times)
        for event in stretches
        if plain.text(event.data, "outcome") == "unknown" and (times := plain.stretch(event.data)) is not None
    )


def load_of(events: Sequence[Event]) -> tuple[LoadPoint, ...]:
    """Return the load's figures as rates, in order of time."""
    times = [plain.moment(event.data, "t") or event.at_utc for event in events]
    steps = [(b - a).total_seconds() for a, b in itertools.pairwise(sorted(times)) if b > a]
    usual = median(steps) if steps else 1.0
    points = []
    before: datetime | None = None
    for at, event in sorted(zip(times, events, strict=True), key=lambda pair: pair[0]):
        step = (at - before).total_seconds() if before is not None and at > before else usual
        # After a pause the interval is the usual one: the figures say nothing of the pause.
        step = min(step, 2 * usual)
        points.append(
            LoadPoint(
                at=at,
                rate=(plain.number(event.data, "requests") or 0.0) / step,
                failures=(plain.number(event.data, "failures") or 0.0) / step,
                p95_ms=plain.number(event.data, "p95_ms"),
                users=plain.count(event.data, "users"),
            )
        )
        before = at
    return tuple(points)


def ledger_row(event: Event) -> LedgerRow:
    """Return what became of every operation of one kind."""
    value = plain.part(event.data, "value")
    found = plain.part(value, "found")
    return LedgerRow(
        kind=plain.text(value, "kind") or plain.text(event.data, "subject").rpartition("/")[2] or "unnamed",
        acknowledged=plain.count(value, "acknowledged"),
        failed=plain.count(value, "failed"),
        unknown=plain.count(value, "unknown"),
        found={where: plain.count(found, where) for where in found},
        lost=_findings(value, "lost"),
        duplicated=_findings(value, "duplicated"),
        unexpected=_findings(value, "unexpected"),
        observation=ObservationId(plain.text(event.data, "id")),
        asked_at=event.at_utc,
    )


def _findings(value: Mapping[str, Json], key: str) -> Findings:
    """Return the operations under ``key``: as {id, where, at}, the first of as many as ``<key>_count`` says."""
    listed = plain.items(value, key)
    return Findings(max(plain.count(value, f"{key}_count"), len(listed)), tuple(_operation(item) for item in listed))


def _operation(item: Json) -> str:
    if not isinstance(item, Mapping):
        return str(item)
    words = f"{item.get('id', 'unnamed')}"
    where = item.get("where")
    if where:
        words += f" in {', '.join(str(one) for one in where) if isinstance(where, list) else where}"
    if what := plain.text(item, "what"):
        words += f": {what}"
    at = plain.moment(item, "at")
    return f"{words} (written {clock(at, digits=3)})" if at else words


def unseen_of(
    inventory: Inventory | None, censuses: Iterable[Event], errors: Counter[tuple[str, str]], limits: Iterable[str]
) -> tuple[Unseen, ...]:
    """Return everything that could not be looked at: limits found at the start, gaps, unread pods, failed probes."""
    unseen = [Unseen(what, why) for what, _, why in (limit.partition(": ") for limit in limits)]
    unseen += [Unseen(gap.subject, gap.why) for gap in inventory.gaps] if inventory else []
    unread: Counter[tuple[str, str]] = Counter()
    for event in censuses:
        for one in plain.objects(plain.part(event.data, "value"), "unread"):
            unread[plain.text(one, "subject"), plain.text(one, "why")] += 1
    unseen += [Unseen(f"connections of {subject}", why, times) for (subject, why), times in unread.items()]
    unseen += [Unseen(subject, why, times) for (subject, why), times in errors.most_common(_KEPT_ERRORS)]
    if len(errors) > _KEPT_ERRORS:
        rest = sum(errors.values()) - sum(times for _, times in errors.most_common(_KEPT_ERRORS))
        unseen.append(Unseen("more looks that failed", "see journal.jsonl", rest))
    return tuple(unseen)
