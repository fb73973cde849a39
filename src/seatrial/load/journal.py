"""Figures of a load, second by second, written by the load test's own process.

``attach`` is the one thing that a load test calls. It writes JSON lines to the file that ``SEATRIAL_LOAD_JOURNAL``
names; without that (``locust -f loadtests/keystone.py`` by hand) it makes a run folder below ``reports`` and says so.
This module imports nothing of Locust: it is also read by the harness's process, where Locust must never be.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seatrial.journal.sieve import sieved

JOURNAL = "SEATRIAL_LOAD_JOURNAL"
PARENT = "SEATRIAL_LOAD_PARENT"
PREFIX = "SEATRIAL_LOAD_PREFIX"
SHAPE = "SEATRIAL_LOAD_SHAPE"
CLOUD = "SEATRIAL_LOAD_CLOUD"
"""Names of the environment variables through which the harness tells a load test what to do.

With CLOUD set, the cloud and its credentials come on standard input: they are in no file, argument or variable.
"""

_EVERY_S = 1.0
Figures = dict[str, Any]
Sink = Callable[[Figures], None]


def attach(environment: Any) -> LoadJournal | None:
    """Begin to write the figures of this Locust environment; ends with it, or when the harness that started it ends.

    In a distributed load the master writes what its workers report to it, and a worker nothing: one load, one run.
    """
    return None if _runs_as(environment, "WorkerRunner") else LoadJournal(environment)


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank quantile of sorted numbers; None of nothing (no request is no time, not 0 ms)."""
    if not ordered:
        return None
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]


def figures(at: float, users: int, times_ms: Sequence[float], failures: int) -> Figures:
    """Return one interval's figures as a LOAD event carries them; ``at`` is the interval's end, seconds since 1970."""
    ordered = sorted(times_ms)
    return {
        "t": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
        "users": users,
        "requests": len(ordered),
        "failures": failures,
        "p50_ms": quantile(ordered, 0.50),
        "p95_ms": quantile(ordered, 0.95),
    }


class LoadJournal:
    """Gathers the requests of one Locust process and writes them down once a second."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._parent = os.environ.get(PARENT)
        self._sink, self._close = _sink(environment)
        self._lock = threading.Lock()
        self._times_ms: list[float] = []
        self._failures = 0
        self._total = _Total(environment) if _runs_as(environment, "MasterRunner") else None
        self._over = threading.Event()
        environment.events.request.add_listener(self._request)
        environment.events.quitting.add_listener(self._quitting)
        # In a Locust process threads are greenlets: it has patched them before it read the load test.
        threading.Thread(target=self._run, daemon=True, name="load journal").start()

    def _request(self, *, response_time: float, exception: BaseException | None = None, **_: Any) -> None:
        with self._lock:
            self._times_ms.append(round(float(response_time), 2))
            self._failures += exception is not None

    def _run(self) -> None:
        tick = time.monotonic() + _EVERY_S
        while not self._over.wait(max(0.0, tick - time.monotonic())):
            tick += _EVERY_S
            self._write()
            if self._parent is not None and str(os.getppid()) != self._parent and self._environment.runner:
                # The harness is dead: nobody would ever stop this load.
                self._environment.runner.quit()
                return

    def _write(self) -> None:
        with self._lock:
            times_ms, self._times_ms = self._times_ms, []
            failures, self._failures = self._failures, 0
        if self._total is not None:
            times_ms, failures = self._total.since()
        runner = self._environment.runner
        self._sink(figures(time.time(), runner.user_count if runner else 0, times_ms, failures))

    def _quitting(self, **_: Any) -> None:
        if not self._over.is_set():
            self._over.set()
            self._write()
            self._close()


class _Total:
    """What all workers of a distributed load have reported, by how much it grows (they report every few seconds)."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._times: Counter[float] = Counter()
        self._failures = 0

    def since(self) -> tuple[list[float], int]:
        """Return the times of the requests that were reported since the last call, in ms, and how many failed."""
        total = self._environment.stats.total
        times, failures = (
            Counter({float(ms): int(n) for ms, n in dict(total.response_times).items()}),
            total.num_failures,
        )
        grown, failed = times - self._times, max(0, failures - self._failures)
        self._times, self._failures = times, failures
        return list(grown.elements()), failed


def _runs_as(environment: Any, kind: str) -> bool:
    return type(environment.runner).__name__ == kind


def _sink(environment: Any) -> tuple[Sink, Callable[[], None]]:
    named = os.environ.get(JOURNAL)
    return _to_file(Path(named)) if named else _to_run_folder(environment)


def _to_file(path: Path) -> tuple[Sink, Callable[[], None]]:
    file = path.open("a", encoding="utf-8")

    def write(line: Figures) -> None:
        file.write(json.dumps(sieved(line)) + "\n")
        file.flush()

    return write, file.close


def _to_run_folder(environment: Any) -> tuple[Sink, Callable[[], None]]:
    """Make a run folder of a load alone: it judges nothing, but its figures can be reported and compared."""
    # Only a load test by hand needs these; the harness's own has a journal already.
    from dataclasses import replace  # noqa: PLC0415

    from seatrial import __version__  # noqa: PLC0415
    from seatrial.journal.folder import RunFolder  # noqa: PLC0415
    from seatrial.journal.writer import JournalWriter  # noqa: PLC0415
    from seatrial.model.journal import EventKind  # noqa: PLC0415
    from seatrial.model.run import Plan, Run  # noqa: PLC0415

    target = os.environ.get("OS_CLOUD", "cloud")
    folder = RunFolder.create(Path("reports"), target, "load")
    run = Run(folder.id, Plan(target, "load", 0, (), (), "mutate"), datetime.now(UTC), None, _versions(__version__), ())
    folder.save_run(run)
    journal = JournalWriter(folder.journal)
    journal.append(EventKind.PHASE, {"name": "load"})
    logging.getLogger("seatrial").info("the figures of this load go to %s", folder.path)

    def close() -> None:
        journal.append(EventKind.ENDED, {"reason": "complete"})
        journal.close()
        folder.save_run(replace(run, ended_at=datetime.now(UTC), state="complete"))
        folder.write_manifest()
        logging.getLogger("seatrial").info("the run of this load is in %s", folder.path)

    return lambda line: void(journal.append(EventKind.LOAD, line)), close


def void(_: object) -> None:
    """Take a result that nobody needs."""


def _versions(own: str) -> Mapping[str, str]:
    from importlib.metadata import version  # noqa: PLC0415

    return {"seatrial": own, "locust": version("locust")}
