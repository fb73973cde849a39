"""Typed looks into plain JSON: what a probe wrote is shown when it has the expected shape, and passed over when not.

A report must come out of any journal, also of one whose probe answered something odd: judging that is a check's work.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime

from seatrial.journal.codec import parse_time
from seatrial.model.observation import Json


def text(data: Json | Mapping[str, Json], key: str, default: str = "") -> str:
    """Return the text under ``key``, or ``default`` when there is none."""
    found = data.get(key) if isinstance(data, Mapping) else None
    return found if isinstance(found, str) else default


def number(data: Json | Mapping[str, Json], key: str) -> float | None:
    """Return the finite number under ``key``, or None when there is none; truth values are no numbers."""
    found = data.get(key) if isinstance(data, Mapping) else None
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return None
    return float(found)


def count(data: Json | Mapping[str, Json], key: str) -> int:
    """Return the whole number under ``key``, 0 when there is none."""
    return int(number(data, key) or 0)


def items(data: Json | Mapping[str, Json], key: str) -> list[Json]:
    """Return the list under ``key``, empty when there is none."""
    found = data.get(key) if isinstance(data, Mapping) else None
    return found if isinstance(found, list) else []


def texts(data: Json | Mapping[str, Json], key: str) -> tuple[str, ...]:
    """Return the texts of the list under ``key``."""
    return tuple(item for item in items(data, key) if isinstance(item, str))


def part(data: Json | Mapping[str, Json], key: str) -> Mapping[str, Json]:
    """Return the object under ``key``, empty when there is none."""
    found = data.get(key) if isinstance(data, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def moment(data: Json | Mapping[str, Json], key: str) -> datetime | None:
    """Return the UTC time under ``key``, or None when there is none."""
    try:
        return parse_time(text(data, key))
    except ValueError:
        return None


def stretch(data: Json | Mapping[str, Json]) -> tuple[datetime, datetime] | None:
    """Return the times under ``from`` and ``to`` when both are there and in order."""
    start, end = moment(data, "from"), moment(data, "to")
    return (start, end) if start is not None and end is not None and start <= end else None


def objects(data: Json | Mapping[str, Json], key: str) -> Iterator[Mapping[str, Json]]:
    """Yield the objects of the list under ``key``."""
    for item in items(data, key):
        if isinstance(item, Mapping):
            yield item
