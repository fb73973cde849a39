"""Asks one path every few milliseconds, so that an outage is seen to begin and to end within one of them.

While answers come, one worker asks at the cadence, over its kept connection where the path's clients keep theirs.
An answer that does not come must not stop the asking: from ``patience`` on (at once when the last question failed),
every tick starts a fresh attempt on a new connection (a bounded number at once), and the first that is answered
takes over. A lost packet or a
frozen peer thus never hides the moment at which the path works again: waiting for TCP to send again would (200 ms,
400 ms, ... and a second for the first packet of a connection).
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

from seatrial.agent import clock
from seatrial.agent.failures import FAILURES
from seatrial.agent.wire import Wire, short, wait_until


class Session(Protocol):
    """One connection of a path."""

    def ask(self) -> None:
        """Ask once; raises when no good answer comes."""

    def close(self) -> None:
        """End the connection."""


class Path(Protocol):
    """A path that can be asked."""

    name: str
    keeps: bool
    """Whether clients of this path keep their connection."""
    in_flight: int
    """Most attempts at once while answers do not come."""

    def open(self) -> Session:
        """Connect; raises when that fails."""


class Prober:
    """The asking of one path, until told to end."""

    def __init__(
        self, path: Path, wire: Wire, ended: threading.Event, *, every_s: float = 0.02, patience_s: float = 0.1
    ) -> None:
        self._path = path
        self._wire = wire
        self._ended = ended
        self._every_s = every_s
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._attempts = 0
        self._typical_s = 0.0
        self._answered = False
        self._current = _Worker(self)

    def run(self) -> None:
        """Ask at every tick; a tick that comes too late for the next one is left out, not made up for."""
        tick = time.monotonic()
        while not wait_until(tick, self._ended):
            self._tick(time.monotonic())
            tick = max(tick + self._every_s, time.monotonic())

    def settle(self, deadline: float) -> None:
        """Wait until every question that was asked has ended, or until ``deadline`` (monotonic)."""
        while time.monotonic() < deadline:
            with self._lock:
                if self._attempts == 0 and self._current.busy_since is None:
                    return
            time.sleep(self._every_s)

    def _tick(self, at: float) -> None:
        with self._lock:
            busy_since = self._current.busy_since
            # A service that is slow but answers must not be buried under attempts, so patience follows its pace.
            patience_s = max(self._patience_s, 4 * self._typical_s) if self._answered else 0.0
            if busy_since is None:
                self._current.busy_since = at
                self._current.go.set()
            elif at - busy_since >= patience_s and self._attempts < self._path.in_flight:
                self._attempts += 1
                attempt = _Worker(self)
                attempt.busy_since = at
                attempt.go.set()

    def work(self, worker: _Worker) -> bool:
        """Ask once with this worker; False when it is of no further use."""
        asked = clock.now()
        detail: str | None = None
        try:
            if worker.session is None:
                worker.session = self._path.open()
            worker.session.ask()
        except FAILURES as problem:
            detail = short(problem)
        ended = clock.now()
        self._wire.sample(self._path.name, asked, ended, detail)
        if worker.session is not None and (detail is not None or not self._path.keeps):
            worker.drop()
        return self._settle(worker, answered=detail is None, took_s=ended - asked)

    def _settle(self, worker: _Worker, *, answered: bool, took_s: float) -> bool:
        with self._lock:
            worker.busy_since = None
            self._answered = answered
            if answered:
                self._typical_s = 0.9 * self._typical_s + 0.1 * took_s
            if worker is self._current:
                return True
            self._attempts -= 1
            if answered and self._current.busy_since is not None:
                # The one that took over stays; the one that is stuck counts as an attempt until it comes back.
                self._current = worker
                self._attempts += 1
                return True
        return False


class _Worker:
    """One thread with at most one connection."""

    def __init__(self, prober: Prober) -> None:
        self.go = threading.Event()
        self.busy_since: float | None = None
        self.session: Session | None = None
        self._prober = prober
        threading.Thread(target=self._run, daemon=True, name="worker").start()

    def _run(self) -> None:
        useful = True
        while useful:
            self.go.wait()
            self.go.clear()
            useful = self._prober.work(self)
        self.drop()

    def drop(self) -> None:
        """Close the connection, if there is one."""
        session, self.session = self.session, None
        if session is not None:
            try:
                session.close()
            except FAILURES:
                # What matters is that nobody uses it any more.
                return
