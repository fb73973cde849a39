"""The append-only journal: each event is on disk before ``append`` returns; a kill loses at most the last line."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from seatrial.journal.codec import encode, to_json
from seatrial.journal.reader import scan
from seatrial.model.errors import BadInput, HarnessBug, Problem
from seatrial.model.journal import Event, EventKind


class JournalWriter:
    """Writes one journal; only one process at a time can hold it, and threads may share it.

    Opening a journal that a killed process left cuts off the torn line at its end (it never happened: every event that
    mattered was complete on disk before the deployment was touched) and goes on with the next sequence number.
    """

    def __init__(self, path: Path, *, on_event: Callable[[Event], None] | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._on_event = on_event
        self._file = path.open("ab")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise BadInput([Problem(str(path), "a run that is still writing", "a run that has ended")]) from None
        found = scan(path)
        self._seq = found.events[-1].seq if found.events else 0
        if found.torn:
            os.truncate(path, found.good_bytes)
        elif found.unfinished:
            self._file.write(b"\n")
        self._sync()

    def append(self, kind: EventKind, data: Mapping[str, object]) -> Event:
        """Write one event and return it once it is safely on disk."""
        plain = to_json(data)
        if not isinstance(plain, dict):
            msg = "an event's data is an object"
            raise HarnessBug(msg)
        with self._lock:
            event = Event(
                seq=self._seq + 1,
                at_utc=datetime.now(UTC),
                mono_s=time.monotonic(),
                process=os.getpid(),
                kind=kind,
                data=plain,
            )
            self._file.write(json.dumps(encode(event), separators=(",", ":"), allow_nan=False).encode() + b"\n")
            self._sync()
            self._seq = event.seq
        if self._on_event is not None:
            self._on_event(event)
        return event

    def close(self) -> None:
        """Release the journal; closing twice is fine."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
