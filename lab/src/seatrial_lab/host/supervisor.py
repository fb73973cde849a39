"""The process that keeps the lab's own programs running: started once by ``up``, restarts what dies.

It reads ``units/*.json`` in the state folder, starts each, and starts it again, after a pause, whenever it ends.
SIGHUP makes it look for new units. One whose file is gone is not started again. It is told of nothing else; ``down``
finds and ends all its children by itself, so that this process may be killed at any moment without harm.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

MARK = "SEATRIAL_LAB_MARK"
"""Environment variable by which `down` knows every process that descends from the lab."""
PAUSE_S = (0.5, 1.0, 2.0, 5.0)
"""How long to wait before the first, second, ... restart in a row."""
STEADY_S = 30.0
"""A program that ran this long has its restarts forgotten."""


@dataclass(slots=True)
class Unit:
    """One program that is kept running."""

    name: str
    argv: list[str]
    env: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restarts: int = 0
    due: float = field(default=0.0)

    def start(self, pids: Path) -> None:
        """Start it in a session of its own, its output appended to its log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **self.env},
                preexec_fn=_hear_all_signals,  # noqa: PLW1509 (this process has one thread)
            )
        self.started = time.monotonic()
        written = pids / f".{self.name}"
        written.write_text(f"{self.process.pid} {self.restarts}\n")
        written.rename(pids / self.name)  # whoever reads it reads all of it

    def ended(self, now: float) -> None:
        """Note that it ended, and when it is due again."""
        if now - self.started > STEADY_S:
            self.restarts = 0
        self.due = now + PAUSE_S[min(self.restarts, len(PAUSE_S) - 1)]
        self.restarts += 1
        self.process = None


def _hear_all_signals() -> None:
    """Undo for the child what we block for ourselves."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _units(state: Path, known: dict[str, Unit]) -> None:
    files = {file.stem: file for file in sorted((state / "units").glob("*.json"))}
    for name in [unit.name for unit in known.values() if unit.process is None and unit.name not in files]:
        del known[name]
    for name, file in files.items():
        if name not in known:
            said = json.loads(file.read_text())
            known[name] = Unit(name, said["argv"], said["env"], state / "log" / f"{name}.log")


def main(state: Path) -> None:
    """Keep every unit running until SIGTERM; ending them all is not this process's work but `down`'s."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM})
    written = state / ".supervisor.pid"
    written.write_text(f"{os.getpid()}\n")
    written.rename(state / "supervisor.pid")
    known: dict[str, Unit] = {}
    while True:
        _units(state, known)
        now = time.monotonic()
        for unit in known.values():
            if unit.process is not None and unit.process.poll() is not None:
                unit.ended(now)
            if unit.process is None and now >= unit.due:
                unit.start(state / "pids")
        waiting = any(unit.process is None for unit in known.values())
        got = signal.sigtimedwait({signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM}, 0.1 if waiting else 30.0)
        if got is not None and got.si_signo == signal.SIGTERM:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
