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
from seatrial.model.observation import Json, Observation, Subject
from seatrial.model.verdict import Verdict

_KINDS = {kind.value: kind for kind in EventKind}
_KEYS = frozenset(("seq", "at_utc", "mono_s", "process", "kind", "data"))


@dataclass(frozen=True, slots=True)
class Scan:
    """What is in a journal file, read leniently: every line that is an event counts, what else there is is told."""

    events: tuple[Event, ...]
    problems: tuple[Problem, ...]
    """Lines that are no event of this version, or out of order; not a torn last one."""
    good_bytes: int
    """Length of the part before a torn last line."""
    torn: bool
    """Its last line stops in the middle: the writer was killed while writing it."""
    unfinished: bool
    """Its last line is whole but for the line end."""
    last_seq: int
    """The greatest number that was given: no later event may have it again."""


def read(path: Path) -> list[Event]:
    """Return all events in order; a torn last line is dropped, other malformed ones raise BadInput."""
    found = scan(path)
    if found.problems:
        raise BadInput(found.problems)
    return list(found.events)


def scan(path: Path) -> Scan:
    """Read a journal leniently and report how it ends; raises nothing for what is in it."""
    events: list[Event] = []
    problems: list[Problem] = []
    good = last = 0
    torn = unfinished = False
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            whole = line.endswith(b"\n")
            event = _event(line)
            if isinstance(event, str) and not whole:
                torn = True
                break
            good += len(line)
            unfinished = not whole
            where = f"{path}, line {number}"
            if isinstance(event, str):
                problems.append(Problem(where, event, "one journal event, in order"))
                last += 1  # whatever it was, its number is taken
                continue
            if event.seq != last + 1:
                problems.append(
                    Problem(where, f"sequence number {event.seq}", f"one journal event, in order: {last + 1}")
                )
            last = max(last, event.seq)
            events.append(event)
    return Scan(tuple(events), tuple(problems), good, torn, unfinished, last)


def run_id(path: Path) -> str | None:
    """Return the id that a journal's first event gives to its run, or None where it says none."""
    try:
        with path.open("rb") as stream:
            event = _event(stream.readline())
    except OSError:
        return None
    known = event.data.get("run") if isinstance(event, Event) else None
    return known if isinstance(known, str) else None


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
    could say so, which is why undo works from the recipe alone and is idempotent. Read leniently: what a newer version
    has added to an injection is skipped, and what is missing of it is empty.
    """
    found: dict[str, tuple[Injection, EventKind]] = {}
    for event in events:
        if event.kind is EventKind.PREPARED:
            injection = _injection(event)
            found[injection.id] = (injection, event.kind)
        elif event.kind is EventKind.UNDONE:
            found.pop(str(event.data.get("injection")), None)
        elif event.kind in (EventKind.INJECTING, EventKind.INJECTED, EventKind.UNDOING, EventKind.UNDO_FAILED):
            key = str(event.data.get("injection"))
            if key in found:
                found[key] = (found[key][0], event.kind)
    return list(found.values())


def _injection(event: Event) -> Injection:
    data = event.data

    def mapping(key: str) -> dict[str, Json]:
        value = data.get(key)
        return dict(value) if isinstance(value, dict) else {}

    def texts(key: str) -> tuple[str, ...]:
        value = data.get(key)
        return tuple(str(entry) for entry in value) if isinstance(value, list) else ()

    return Injection(
        id=str(data.get("id") or f"event-{event.seq}"),
        fault=str(data.get("fault")),
        parameters=mapping("parameters"),
        subjects=tuple(Subject(subject) for subject in texts("subjects")),
        recipe=mapping("recipe"),
        costs={key: cost for key, cost in mapping("costs").items() if isinstance(cost, int)},
        by_hand=texts("by_hand"),
        deployment={key: str(value) for key, value in mapping("deployment").items()},
    )
