"""Reads journals, also those of runs that were killed; knows what an event means, never what it should have been."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from seatrial.journal.codec import decode, parse_time
from seatrial.model.errors import BadInput, Problem
from seatrial.model.fault import Injection
from seatrial.model.journal import Event, EventKind
from seatrial.model.observation import Observation
from seatrial.model.verdict import Verdict

_KINDS = {kind.value: kind for kind in EventKind}
_KEYS = frozenset(("seq", "at_utc", "mono_s", "process", "kind", "data"))


@dataclass(frozen=True, slots=True)
class Scan:
    """What is in a journal file, and how it ends."""

    events: tuple[Event, ...]
    good_bytes: int
    """Length of the part that holds whole events."""
    torn: bool
    """Its last line stops in the middle: the writer was killed while writing it."""
    unfinished: bool
    """Its last line is whole but for the line end."""


def read(path: Path) -> list[Event]:
    """Return all events in order; a torn last line is dropped, other malformed ones raise BadInput."""
    return list(scan(path).events)


def scan(path: Path) -> Scan:
    """Read a journal and report how it ends; raises BadInput when a line other than a torn last one is malformed."""
    events: list[Event] = []
    good = 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            whole = line.endswith(b"\n")
            event = _event(line)
            if isinstance(event, Event) and event.seq != len(events) + 1:
                event = f"sequence number {event.seq}"
            if isinstance(event, str):
                if not whole:
                    return Scan(tuple(events), good, torn=True, unfinished=False)
                raise BadInput([Problem(f"{path}, line {number}", event, "one journal event, in order")])
            events.append(event)
            good += len(line)
            if not whole:
                return Scan(tuple(events), good, torn=False, unfinished=True)
    return Scan(tuple(events), good, torn=False, unfinished=False)


def follow(path: Path, offset: int) -> tuple[list[Event], int]:
    """Return the whole events from a byte offset on, and the offset to go on from; for watching a run from outside."""
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            content = stream.read()
    except FileNotFoundError:
        return [], offset
    whole = content[: content.rfind(b"\n") + 1]
    events = [event for line in whole.splitlines() if isinstance(event := _event(line), Event)]
    return events, offset + len(whole)


def _event(line: bytes) -> Event | str:
    """Decode one line, or say what is wrong with it; by hand, because a journal may hold a million of them."""
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        return "no JSON"
    if not isinstance(raw, dict) or raw.keys() != _KEYS or not isinstance(raw["data"], dict):
        return "no event"
    kind = _KINDS.get(str(raw["kind"]))
    if kind is None:
        return f"unknown kind {raw['kind']!r}"
    whole_numbers = type(raw["seq"]) is int and type(raw["process"]) is int
    if not whole_numbers or not isinstance(raw["mono_s"], int | float) or not isinstance(raw["at_utc"], str):
        return "values of the wrong type"
    try:
        at_utc = parse_time(raw["at_utc"])
    except (ValueError, OverflowError):
        return f"time {raw['at_utc']!r}"
    return Event(raw["seq"], at_utc, float(raw["mono_s"]), raw["process"], kind, raw["data"])


def observations(events: Iterable[Event]) -> Iterator[Observation]:
    """Yield every observation of a journal, in order."""
    for event in events:
        if event.kind is EventKind.OBSERVATION:
            yield decode(Observation, event.data, where=f"event {event.seq}")


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict as the journal has it: with the scenario that it belongs to."""

    scenario: str
    verdict: Verdict


def verdicts(events: Iterable[Event]) -> Iterator[Judged]:
    """Yield every verdict of a journal (event data ``{scenario, verdict}``), in order."""
    for event in events:
        if event.kind is EventKind.VERDICT:
            found = decode(Verdict, event.data.get("verdict"), where=f"event {event.seq}")
            yield Judged(str(event.data.get("scenario", "")), found)


def open_injections(events: Iterable[Event]) -> list[tuple[Injection, EventKind]]:
    """Return the injections that were prepared and never proven gone, oldest first, each with its last step.

    Also those that were only prepared: the harness may have been killed after it touched the deployment and before it
    could say so, which is why undo works from the recipe alone and is idempotent.
    """
    found: dict[str, tuple[Injection, EventKind]] = {}
    for event in events:
        if event.kind is EventKind.PREPARED:
            injection = decode(Injection, event.data, where=f"event {event.seq}")
            found[injection.id] = (injection, event.kind)
        elif event.kind is EventKind.UNDONE:
            found.pop(str(event.data.get("injection")), None)
        elif event.kind in (EventKind.INJECTING, EventKind.INJECTED, EventKind.UNDOING, EventKind.UNDO_FAILED):
            key = str(event.data.get("injection"))
            if key in found:
                found[key] = (found[key][0], event.kind)
    return list(found.values())
