"""Stored run -> Story: one pass over the journal, which may hold a hundred thousand events or stop in the middle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from seatrial.journal.codec import decode
from seatrial.journal.folder import RunFolder
from seatrial.journal.reader import Judged
from seatrial.model.fault import Injection
from seatrial.model.journal import Event, EventKind
from seatrial.model.observation import Json
from seatrial.model.requirement import Requirement, RequirementId
from seatrial.model.run import Run
from seatrial.model.verdict import Outcome, Verdict
from seatrial.reporting import plain
from seatrial.reporting.figures import blind_of, ledger_row, load_of, outages_of, rows_of, unseen_of, watch_of
from seatrial.reporting.story import OUTAGE, FaultBand, Phase, Story


class _Pass:
    """What one pass over the journal gathers."""

    def __init__(self) -> None:
        self.phases: list[tuple[datetime, str, str]] = []
        self.faults: dict[str, FaultBand] = {}
        self.judged: list[Judged] = []
        self.evidence: dict[str, list[str]] = {}
        self.observed: dict[str, Event] = {}
        self.load: list[Event] = []
        self.paths: list[Event] = []
        self.outages: list[Event] = []
        self.ledgers: list[Event] = []
        self.censuses: list[Event] = []
        self.errors: Counter[tuple[str, str]] = Counter()
        self.limits: list[str] = []
        self.ended: str | None = None
        self.target_file = ""
        self.preparer: dict[str, int] = {}

    def take(self, event: Event) -> None:
        """Sort one event in."""
        data = event.data
        match event.kind:
            case EventKind.OBSERVATION:
                self._observation(event)
            case EventKind.LOAD:
                self.load.append(event)
            case EventKind.PATH:
                self.paths.append(event)
            case EventKind.PHASE:
                self._phase(event)
            case EventKind.EVIDENCE:
                seen = self.evidence.setdefault(plain.text(data, "requirement"), [])
                seen.extend(plain.texts(data, "observations"))
            case EventKind.VERDICT:
                verdict = decode(Verdict, data.get("verdict"), where=f"event {event.seq}")
                self.judged.append(Judged(plain.text(data, "scenario"), verdict))
            case EventKind.ENDED:
                self.ended = plain.text(data, "reason")
            case EventKind.INVENTORY:
                pass
            case _:
                self._fault(event)

    def _phase(self, event: Event) -> None:
        name = plain.text(event.data, "name")
        self.target_file = self.target_file or plain.text(event.data, "target_file")
        if name.startswith("limited: "):
            self.limits.append(name.removeprefix("limited: "))
        else:
            self.phases.append((event.at_utc, name, plain.text(event.data, "scenario")))

    def _observation(self, event: Event) -> None:
        data = event.data
        probe = plain.text(data, "probe")
        self.observed[plain.text(data, "id")] = event
        if data.get("error") is not None:
            first_line = plain.text(data, "error").strip().partition("\n")[0][:300]
            self.errors[f"{probe} of {plain.text(data, 'subject')}", first_line] += 1
        elif probe == OUTAGE:
            self.outages.append(event)
        elif probe == "ledger":
            self.ledgers.append(event)
        elif probe == "census":
            self.censuses.append(event)
        elif probe in ("fault.took_hold", "fault.still_held", "fault.is_gone"):
            self._proof(probe, plain.part(data, "value"))

    def _proof(self, probe: str, value: Mapping[str, Json]) -> None:
        band = self.faults.get(plain.text(value, "injection"))
        if band is None:
            return
        match probe:
            case "fault.took_hold":
                band = replace(band, held=value.get("held") is True)
            case "fault.still_held":
                band = replace(band, still_held=value.get("held") is True)
            case _:
                band = replace(band, gone=value.get("gone") is True)
        self.faults[band.injection.id] = band

    def _fault(self, event: Event) -> None:
        if event.kind is EventKind.PREPARED:
            injection = decode(Injection, event.data, where=f"event {event.seq}")
            scenario = self.phases[-1][2] if self.phases else ""
            self.faults[injection.id] = FaultBand(injection, scenario, event.at_utc)
            self.preparer[injection.id] = event.process
            return
        band = self.faults.get(plain.text(event.data, "injection"))
        if band is None:
            return
        if event.kind in (EventKind.INJECTING, EventKind.INJECTED) and band.injected is None:
            # From the first moment it may have been hurt: a kill can fall between the two events.
            band = replace(band, injected=event.at_utc)
        elif event.kind is EventKind.UNDONE:
            late = event.process != self.preparer[band.injection.id]
            band = replace(band, ended=event.at_utc, restored=True, undo_error=None, late=late)
        elif event.kind is EventKind.UNDO_FAILED:
            why = plain.text(event.data, "error") or plain.text(event.data, "why") or "no reason was recorded"
            band = replace(band, ended=event.at_utc, restored=False, undo_error=why, failed=why)
        self.faults[band.injection.id] = band


def tell(folder: RunFolder, catalogue: Mapping[RequirementId, Requirement], run: Run | None = None) -> Story:
    """Return what a stored run has to say; raises BadInput when its files are missing or malformed.

    ``run``: the same run as it was judged again; by default as it is stored.
    """
    run = run or folder.load_run()
    stored = folder.inventories()
    inventory = folder.load_inventory(stored[-1].name) if stored else None
    events = folder.events()
    found = _Pass()
    for event in events:
        found.take(event)
    first, last = _span(run, events)
    faults = tuple(band for band in found.faults.values() if not band.is_equipment)
    watches = tuple(watch for event in found.outages if (watch := watch_of(event)) is not None)
    rows = rows_of(run, catalogue, found.judged, found.evidence, watches)
    return Story(
        run=run,
        rows=rows,
        phases=_phases(found.phases, last),
        faults=faults,
        equipment=tuple(band for band in found.faults.values() if band.is_equipment),
        outages=outages_of(found.outages, found.paths, faults, last=last),
        watches=watches,
        blind=blind_of(found.paths),
        load=load_of(found.load),
        ledger=tuple(ledger_row(event) for event in found.ledgers),
        censuses=tuple(plain.part(event.data, "value") for event in found.censuses),
        unseen=unseen_of(inventory, found.censuses, found.errors, found.limits),
        inventory=inventory,
        events=len(events),
        observed=found.observed,
        first=first,
        last=last,
        ended=found.ended,
        place=str(Path(*folder.path.resolve().parts[-2:])),
        target_file=found.target_file,
        counts={outcome: sum(row.outcome is outcome for row in rows) for outcome in reversed(Outcome)},
    )


def _span(run: Run, events: Sequence[Event]) -> tuple[datetime, datetime]:
    first = events[0].at_utc if events else run.started_at
    last = events[-1].at_utc if events else run.ended_at or run.started_at
    return first, max(first + timedelta(milliseconds=1), last)


def _phases(found: Sequence[tuple[datetime, str, str]], last: datetime) -> tuple[Phase, ...]:
    ends = [start for start, _, _ in found[1:]] + [last]
    return tuple(Phase(name, scenario, start, end) for (start, name, scenario), end in zip(found, ends, strict=False))
