"""One agent at work: its configuration goes in, what it says is gathered, and a broken line is known as such."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.model.errors import Unreachable
from seatrial.traffic.channel import Channel
from seatrial.traffic.ledger import Entry
from seatrial.traffic.outage import Sample

_PING_S = 2.0
_STOP_S = 25.0


class Link:
    """Talks to one agent; reading and keeping it alive happen on threads of their own."""

    def __init__(self, channel: Channel, config: Mapping[str, Any], *, name: str) -> None:
        self.name = name
        self.broken: str | None = None
        """Why the agent is lost, once it is."""
        self.samples: dict[str, list[Sample]] = {}
        self.entries: dict[str, dict[int, Entry]] = {}
        self.complaints: list[str] = []
        self._channel = channel
        self._changed = threading.Condition()
        self._drained: list[dict[str, Any]] = []
        self._stopped = False
        self._closing = threading.Event()
        self._best_trip = float("inf")
        self._offset_s = 0.0
        channel.send(json.dumps(config))
        self._threads = [
            threading.Thread(target=run, daemon=True, name=f"agent {name}") for run in (self._read, self._stay)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def offset_s(self) -> float:
        """Return how far the agent's clock is ahead of ours, where that is certain; else 0."""
        return self._offset_s if abs(self._offset_s) > self._best_trip else 0.0

    def wait_for_answers(self, paths: Sequence[str], *, within_s: float) -> list[str]:
        """Wait until every path has been answered once; returns those that have not. Raises when the agent is lost."""

        def missing() -> list[str]:
            return [path for path in paths if not any(sample.ok for sample in self.samples.get(path, ()))]

        with self._changed:
            self._changed.wait_for(lambda: self._lost() or not missing(), within_s)
            if self._lost():
                raise Unreachable(f"the agent {self.name} is lost: {self.broken}")
            return missing()

    def _lost(self) -> bool:
        return self.broken is not None

    def stop(self) -> None:
        """Let it finish what it has begun and say so; returns when it has, or when that takes too long."""
        self._command("stop")
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self.broken is not None, _STOP_S)
            if not self._stopped and self.broken is None:
                self.broken = f"did not stop within {_STOP_S:g} s"

    def drain(self, *, within_s: float) -> dict[str, Any]:
        """Have it take every message out of the ledger's queue; raises ``Unreachable`` when it could not."""
        before = len(self._drained)
        self._command("drain")
        with self._changed:
            self._changed.wait_for(lambda: len(self._drained) > before or self._lost(), within_s)
            if len(self._drained) == before:
                raise Unreachable(f"the queue was not drained: {self.broken or f'no answer within {within_s:g} s'}")
            return self._drained[-1]

    def close(self) -> None:
        """End the agent."""
        self._closing.set()
        self._channel.close()
        for thread in self._threads:
            thread.join(5)

    def _command(self, what: str, **fields: Any) -> None:
        try:
            self._channel.send(json.dumps({"do": what, **fields}))
        except Unreachable as problem:
            self._break(str(problem))

    def _read(self) -> None:
        try:
            for line in self._channel.lines():
                self._hear(line)
        except Unreachable as problem:
            self._break(str(problem))
        else:
            self._break(f"it ended: {self._channel.complaint()}")
        finally:
            # Whatever ended the reading: from here on nothing is seen any more, and that is known.
            self._break("what it says is no longer read")

    def _break(self, why: str) -> None:
        with self._changed:
            if not self._closing.is_set() and self.broken is None:
                self.broken = why
            self._changed.notify_all()

    def _hear(self, line: str) -> None:
        try:
            self._take(json.loads(line))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            self.complaints.append(f"said {line[:80]!r}")

    def _take(self, said: Any) -> None:
        kind = said["k"]
        with self._changed:
            if kind == "s":
                self.samples.setdefault(said["p"], []).extend(
                    Sample(asked, asked + took, *rest) for asked, took, *rest in said["d"]
                )
            elif kind == "w":
                kept = self.entries.setdefault(said["p"], {})
                kept.update((number, Entry(at, took, end, why)) for number, at, took, end, why in said["d"])
            elif kind == "drained":
                self._drained.append(said)
            elif kind == "stopped":
                self._stopped = True
                if said["unfinished"]:
                    self.complaints.append(f"{said['unfinished']} writers had not finished")
            elif kind == "pong":
                self._clock(said["sent"], said["at"])
            elif kind == "error":
                self.complaints.append(f"{said['what']}: {said['detail']}")
            self._changed.notify_all()

    def _clock(self, sent: float, at: float) -> None:
        now = time.time()
        trip = now - sent
        if 0 <= trip < self._best_trip:
            self._best_trip = trip
            self._offset_s = at - (sent + trip / 2)

    def _stay(self) -> None:
        while self.broken is None and not self._closing.is_set():
            self._command("ping", sent=time.time())
            self._closing.wait(_PING_S)
