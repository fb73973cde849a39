"""Starts Locust as a process of its own, hands its figures on while it runs, and makes sure that it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import IO, cast

from seatrial.clients import cloud
from seatrial.journal.folder import open_private
from seatrial.journal.stream import Log
from seatrial.load import journal
from seatrial.model.errors import BadInput, HarnessBug, Problem, Unreachable
from seatrial.model.journal import EventKind
from seatrial.model.target import Target

Note = Callable[[EventKind, Mapping[str, object]], object]
SHAPES = ("steady", "step")
_START_S = 60.0
_STOP_S = 15.0
_KILL_S = 5.0
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Load:
    """What kind of load, and how much."""

    profile: str = "keystone"
    """Name of a file in ``loadtests/``."""
    shape: str = "steady"
    users: int = 4
    most_s: float = 1800
    """Ends by itself after so long, whatever happens to the harness."""
    prefix: str = ""
    """What the names of everything that it creates begin with; empty: a prefix of its own."""


class Running:
    """One Locust process."""

    def __init__(self, load: Load, target: Target, *, folder: Path, note: Note) -> None:
        self.figures: list[Mapping[str, object]] = []
        self._note = note
        self._journal = folder / "load.jsonl"
        self._log_file = folder / "locust.log"
        self._over = threading.Event()
        open_private(self._journal, anew=False).close()
        # Resolved here, once: what the harness logs in as is what the load logs in as.
        login = cloud.handed_on(cloud.region(target.cloud))
        self._process = subprocess.Popen(
            _argv(load),
            env=_environment(load, self._journal),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A group of its own, so that nothing it starts can outlive it; Ctrl-C is for the harness.
            start_new_session=True,
            umask=0o077,
        )
        self._log = Log(cast("IO[bytes]", self._process.stdout), self._log_file)
        _tell(self._process, login)
        self._follower = threading.Thread(target=self._follow, daemon=True, name="load figures")
        self._follower.start()

    def wait_until_it_loads(self) -> None:
        """Return once requests are being made; raises ``Unreachable`` when that does not happen."""
        deadline = time.monotonic() + _START_S
        while not any(line.get("requests") for line in self.figures):
            if self._process.poll() is not None:
                raise Unreachable(f"locust ended with {self._process.returncode}: {self._last_words()}")
            if time.monotonic() > deadline:
                raise Unreachable(f"locust made no request within {_START_S:g} s: {self._last_words()}")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End it and everything it started; a second call does nothing."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_KILL_S)
        self._over.set()
        self._follower.join(_KILL_S)
        self._log.close(_KILL_S)

    def _follow(self) -> None:
        """Hand on line after line as they are written, and what is left when it has ended."""
        with self._journal.open(encoding="utf-8") as file:
            rest = ""
            while True:
                ending = self._over.is_set()
                rest += file.read()
                *lines, rest = rest.split("\n")
                for line in lines:
                    told: Mapping[str, object] = json.loads(line)
                    self.figures.append(told)
                    self._note(EventKind.LOAD, told)
                if ending:
                    return
                self._over.wait(_POLL_S)

    def _last_words(self) -> str:
        if self._process.poll() is not None:
            self._log.close(_KILL_S)
        text = self._log_file.read_text(encoding="utf-8", errors="replace") if self._log_file.exists() else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:300] if lines else "it said nothing"


@contextmanager
def running(load: Load, target: Target, *, folder: Path, note: Note) -> Iterator[Running]:
    """Keep a load on inside the block; ``folder`` gets its log and figures, ``note`` each second's figures."""
    process = Running(load, target, folder=folder, note=note)
    try:
        process.wait_until_it_loads()
        yield process
    finally:
        process.stop()


def profiles() -> dict[str, Path]:
    """Return the load tests that this installation has, by name."""
    return {path.stem: path for path in sorted(_home().glob("*.py")) if path.stem not in ("shapes", "__init__")}


def _home() -> Path:
    """Return the folder of load tests: of the wheel where it carries one, else of the checkout."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "_shipped" / "loadtests"
    return shipped if shipped.is_dir() else package.parents[1] / "loadtests"


def _argv(load: Load) -> list[str]:
    known = profiles()
    problems = []
    if load.profile not in known:
        nearest = get_close_matches(load.profile, known, n=1)
        found, accepted = repr(load.profile), ", ".join(known) or "none is installed"
        problems.append(Problem("load.profile", found, accepted, nearest[0] if nearest else None))
    if load.shape not in SHAPES:
        nearest = get_close_matches(load.shape, SHAPES, n=1)
        problems.append(Problem("load.shape", repr(load.shape), ", ".join(SHAPES), nearest[0] if nearest else None))
    if load.users < 1:
        problems.append(Problem("load.users", str(load.users), "1 or more"))
    if problems:
        raise BadInput(problems)
    return [
        *(sys.executable, "-m", "locust", "--locustfile", str(known[load.profile])),
        *("--headless", "--only-summary", "--loglevel", "WARNING", "--exit-code-on-error", "0"),
        *("--users", str(load.users), "--spawn-rate", str(load.users), "--run-time", f"{int(load.most_s)}s"),
    ]


def _tell(process: subprocess.Popen[bytes], login: str) -> None:
    """Hand over the login on standard input, and close it."""
    if process.stdin is None:
        msg = "locust was started without a standard input"
        raise HarnessBug(msg)
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:  # ended already: why is in its log
        pipe.write(login.encode())


def _environment(load: Load, figures: Path) -> dict[str, str]:
    """Return the environment: that there is a login on standard input, never the login."""
    return {
        **os.environ,
        journal.CLOUD: "stdin",
        journal.JOURNAL: str(figures),
        journal.PARENT: str(os.getpid()),
        journal.SHAPE: load.shape,
        journal.PREFIX: load.prefix,
    }
