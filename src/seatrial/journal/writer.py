"""The append-only journal: each event is on disk before ``append`` returns; a kill loses at most the last line."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from seatrial.journal import sieve
from seatrial.journal.codec import encode, to_json
from seatrial.journal.reader import scan
from seatrial.model.errors import BadInput, HarnessBug, Problem
from seatrial.model.journal import Event, EventKind
from seatrial.model.observation import Json


class JournalWriter:
    """Writes one journal; only one process at a time can hold it, and threads may share it.

    Opening a journal that a killed process left cuts off the torn line at its end (it never happened: every event that
    mattered was complete on disk before the deployment was touched) and goes on with the next sequence number.
    A write that fails (a full disk) raises OSError, leaves the file as it was, and nothing more is written: what comes
    after it would be read as if nothing had been lost between.
    """

    def __init__(self, path: Path, *, on_event: Callable[[Event], None] | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._on_event = on_event
        self._fence: OSError | None = None
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = scan(path)
            self._seq = found.last_seq
            if found.torn:
                os.ftruncate(self._fd, found.good_bytes)
            self._end = os.fstat(self._fd).st_size
            if found.unfinished:
                self._put(b"\n")
        except BlockingIOError:
            self.close()
            raise BadInput([Problem(str(path), "a run that is still writing", "a run that has ended")]) from None
        except BaseException:
            self.close()
            raise

    def append(self, kind: EventKind, data: Mapping[str, object]) -> Event:
        """Write one event, without secrets, and return it once it is on disk; raises OSError when it can't be."""
        plain = to_json(data)
        line = _line(plain)
        if not sieve.passes(line):
            plain = sieve.clean_json(plain)
            line = _line(plain)
        if not isinstance(plain, dict):
            msg = "an event's data is an object"
            raise HarnessBug(msg)
        with self._lock:
            if self._fence is not None:
                raise OSError(self._fence.errno, f"nothing more is written to {self._path}: {self._fence.strerror}")
            event = Event(
                seq=self._seq + 1,
                at_utc=datetime.now(UTC),
                mono_s=time.monotonic(),
                process=os.getpid(),
                kind=kind,
                data=plain,
            )
            # The data as it was looked at above; everything else of an event is the harness's own.
            head = _line(encode(replace(event, data={}))).removesuffix("{}}")
            self._put(f"{head}{line}}}\n".encode())
            self._seq = event.seq
        if self._on_event is not None:
            self._on_event(event)
        return event

    def close(self) -> None:
        """Release the journal; closing twice is fine."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _put(self, line: bytes) -> None:
        """Write a line whole and to the disk, or leave the file as it was."""
        try:
            if self._fd < 0:
                raise OSError(errno.EBADF, "closed")
            if os.write(self._fd, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._fd)
        except BaseException as problem:
            if isinstance(problem, OSError):
                self._fence = problem
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._end)
            raise
        self._end += len(line)


def _line(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
