"""What the agent says: one JSON object a line, flushed, whole.

Kinds (``k``): ``hello`` once; ``s`` samples of a path; ``w`` writes of a ledger; ``found`` and ``drained`` answer a
drain; ``stopped`` answers a stop; ``pong`` answers a ping; ``error`` says what the agent itself could not do.
Nothing that it sends holds a secret.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any, TextIO

_FLUSH_S = 0.2
_DETAIL = 120


class Wire:
    """Sends lines to the harness; samples are gathered for a fifth of a second, everything else goes at once."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out if out is not None else sys.stdout
        self._lock = threading.Lock()
        self._samples: dict[str, list[list[Any]]] = {}
        self._writes: dict[str, list[list[Any]]] = {}

    def say(self, kind: str, **fields: Any) -> None:
        """Send one line."""
        line = json.dumps({"k": kind, **fields}, separators=(",", ":"))
        with self._lock:
            self._out.write(line + "\n")
            self._out.flush()

    def sample(self, path: str, asked: float, ended: float, detail: str | None) -> None:
        """Note one question on a path: when asked, when ended, and why it failed (None: it was answered)."""
        entry: list[Any] = [round(asked, 4), round(ended - asked, 4)]
        if detail is not None:
            entry.append(detail)
        with self._lock:
            self._samples.setdefault(path, []).append(entry)

    def write(self, ledger: str, number: int, *, asked: float, ended: float, outcome: str, detail: str) -> None:
        """Note one write: its number, when it began, how long it took, and its end (ok, fail, unknown)."""
        entry = [number, round(asked, 4), round(ended - asked, 4), outcome, detail]
        with self._lock:
            self._writes.setdefault(ledger, []).append(entry)

    def flush(self) -> None:
        """Send what was gathered."""
        with self._lock:
            samples, self._samples = self._samples, {}
            writes, self._writes = self._writes, {}
        for path, gathered in samples.items():
            self.say("s", p=path, d=gathered)
        for ledger, entries in writes.items():
            self.say("w", p=ledger, d=entries)

    def flush_forever(self, ended: threading.Event) -> None:
        """Flush until told that it is over."""
        while not ended.wait(_FLUSH_S):
            self.flush()
        self.flush()


def short(problem: BaseException) -> str:
    """Return an error in one short line: its type and the beginning of what it says."""
    text = " ".join(str(problem).split())
    return f"{type(problem).__name__}: {text}"[:_DETAIL] if text else type(problem).__name__


def wait_until(moment: float, ended: threading.Event) -> bool:
    """Sleep until ``moment`` (monotonic); True when told meanwhile that it is over."""
    return ended.wait(max(0.0, moment - time.monotonic()))
