"""One look becomes one Observation: a value, or the reason why nothing could be seen."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from seatrial.model.errors import NotPermitted, Unreachable
from seatrial.model.known import cut
from seatrial.model.observation import Json, Observation, ObservationId, Subject

_EXCERPT = 600


class Malformed(Unreachable):
    """Raised by a client when an answer came but could not be understood; looking then is as blind as no answer."""


def look(probe: str, subject: Subject | str, ask: Callable[[], Json], *, excerpt: str = "") -> Observation:
    """Ask once, time it, and return what was seen; not being able to see is an Observation with an error."""
    asked_at = datetime.now(UTC)
    started = time.monotonic()
    value: Json = None
    error: str | None = None
    try:
        value = ask()
    except (Unreachable, NotPermitted, TimeoutError, ConnectionError) as problem:
        error = f"{type(problem).__name__}: {problem}"
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as problem:
        # A foreign answer of another shape than documented; the type is named so that our own mistakes show too.
        error = f"malformed answer: {type(problem).__name__}: {problem}"
    return observed(
        probe, subject, value, asked_at=asked_at, took_s=time.monotonic() - started, error=error, raw=excerpt
    )


def observed(
    probe: str,
    subject: Subject | str,
    value: Json,
    *,
    asked_at: datetime,
    took_s: float,
    error: str | None = None,
    raw: str = "",
) -> Observation:
    """Make an Observation of something that was seen (or not) by other means than one question."""
    return Observation(
        id=new_id(),
        probe=probe,
        subject=Subject(subject),
        asked_at=asked_at,
        took_s=round(took_s, 6),
        value=None if error is not None else value,
        error=error,
        excerpt=cut(raw, _EXCERPT),
    )


def new_id() -> ObservationId:
    """Return an id for one observation, unique over runs."""
    return ObservationId(f"o-{uuid.uuid4().hex[:12]}")
