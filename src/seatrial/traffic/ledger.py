"""The ledger's accounts: what was written, how it ended, and what is there afterwards. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from seatrial.model.observation import Json

OK, FAIL, UNKNOWN = "ok", "fail", "unknown"
_NAMED = 50
"""Most entries that are listed one by one; all are counted."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One write: when it began (seconds since the epoch), how long it took, and how it ended."""

    at: float
    took_s: float
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One entry that is not as it should be in one place."""

    number: int
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Account:
    """What became of all entries of one kind."""

    lost: tuple[Finding, ...]
    duplicated: tuple[Finding, ...]
    unexpected: tuple[Finding, ...]


def settle(entries: Mapping[int, Entry], found: Mapping[str, Mapping[int, int]], *, whole: bool) -> Account:
    """Compare what was acknowledged with what is there, place by place.

    ``found``: how often each number is in each place that could be read. ``whole``: every entry that was begun is in
    ``entries``; when the agent was lost on the way, numbers beyond the last reported may exist and prove nothing.
    An entry of unknown outcome may be there or not. It is lost only if it was acknowledged, and unexpected only if it
    certainly had no effect or never was written at all.
    """
    lost: list[Finding] = []
    duplicated: list[Finding] = []
    unexpected: list[Finding] = []
    last = max(entries, default=0)
    for where in sorted(found):
        there = found[where]
        for number, entry in sorted(entries.items()):
            if entry.outcome == OK and there.get(number, 0) == 0:
                lost.append(Finding(number, where, "acknowledged, and not there"))
        for number, count in sorted(there.items()):
            if count > 1:
                duplicated.append(Finding(number, where, f"{count} times"))
            outcome = entries[number].outcome if number in entries else None
            if outcome == FAIL:
                unexpected.append(Finding(number, where, f"refused ({entries[number].detail}), and there"))
            elif outcome is None and (whole or number <= last):
                unexpected.append(Finding(number, where, "never written by this ledger"))
    return Account(tuple(lost), tuple(duplicated), tuple(unexpected))


def told(
    kind: str, entries: Mapping[int, Entry], found: Mapping[str, Mapping[int, int]], account: Account
) -> dict[str, Json]:
    """Return the account as the value of a ``ledger`` Observation."""
    outcomes = [entry.outcome for entry in entries.values()]
    unknown = {number for number, entry in entries.items() if entry.outcome == UNKNOWN}
    return {
        "kind": kind,
        "acknowledged": outcomes.count(OK),
        "failed": outcomes.count(FAIL),
        "unknown": outcomes.count(UNKNOWN),
        "unknown_found": sum(any(number in there for there in found.values()) for number in unknown),
        "found": {where: len(there) for where, there in sorted(found.items())},
        "lost": _listed(account.lost, entries),
        "duplicated": _listed(account.duplicated, entries),
        "unexpected": _listed(account.unexpected, entries),
        "lost_count": len(account.lost),
        "duplicated_count": len(account.duplicated),
        "unexpected_count": len(account.unexpected),
    }


def _listed(findings: tuple[Finding, ...], entries: Mapping[int, Entry]) -> list[Json]:
    return [
        {
            "id": finding.number,
            "where": finding.where,
            "what": finding.what,
            "at": utc(entries[finding.number].at) if finding.number in entries else None,
        }
        for finding in findings[:_NAMED]
    ]


def utc(moment: float) -> str:
    """Return seconds since the epoch as people and reports read them."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
