"""Time that never jumps: UTC once at the start, then the monotonic clock."""

from __future__ import annotations

import time

_UTC_AT_START = time.time()
_MONO_AT_START = time.monotonic()


def now() -> float:
    """Return seconds since the epoch, UTC, not disturbed by anybody who sets the clock meanwhile."""
    return _UTC_AT_START + (time.monotonic() - _MONO_AT_START)
