"""Starting programs under the supervisor, and finding every process that belongs to the lab."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from seatrial_lab.errors import BootFailed
from seatrial_lab.host import cgroups, network
from seatrial_lab.host.supervisor import MARK
from seatrial_lab.topology import Topology

START_S = 10.0
THRIFTY = {"GOGC": "200"}
"""Environment of all that is kept running: Kubernetes' programs collect garbage less often, for some more memory."""


def start_supervisor(state: Path) -> None:
    """Start the supervisor, detached from the terminal, and wait until it listens (``supervisor.pid`` is there)."""
    with (state / "log" / "supervisor.log").open("ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "seatrial_lab.host.supervisor", str(state)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
            env={**os.environ, MARK: str(state), **THRIFTY},
        )
    deadline = time.monotonic() + START_S
    while not (state / "supervisor.pid").exists():
        if time.monotonic() > deadline:
            msg = f"the supervisor did not start; see {state / 'log/supervisor.log'}"
            raise BootFailed(msg)
        time.sleep(0.01)


def keep(
    state: Path,
    name: str,
    argv: Sequence[object],
    *,
    namespace: str | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Have the supervisor run a program, in a machine's network namespace, from now on."""
    entered = ["nsenter", f"--net={network.NAMESPACES / namespace}", "--"] if namespace else []
    unit = {"argv": [*entered, *(str(a) for a in argv)], "env": dict(env or {})}
    written = state / "units" / f".{name}"
    written.write_text(json.dumps(unit))
    written.rename(state / "units" / f"{name}.json")
    look_again(state)


def look_again(state: Path) -> None:
    """Have the supervisor look at its units: new ones are started, those whose file is gone not started again."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(int((state / "supervisor.pid").read_text()), signal.SIGHUP)


def belonging(state: Path, plan: Topology) -> set[int]:
    """Return every process of the lab: by its mark, its control group, its namespace, or its shim's socket."""
    spaces = set()
    for name in network.namespaces(plan):
        with contextlib.suppress(OSError):
            spaces.add((network.NAMESPACES / name).stat().st_ino)
    mark = f"{MARK}={state}".encode()
    folder = f"{state}/".encode()
    found = cgroups.processes()
    for pid in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 (names are wanted)
        with contextlib.suppress(OSError):
            proc = Path("/proc") / pid
            shim = b"containerd-shim" in (line := (proc / "cmdline").read_bytes()) and folder in line
            marked = mark in (proc / "environ").read_bytes().split(b"\0")
            if shim or marked or (proc / "ns/net").stat().st_ino in spaces:
                found.add(int(pid))
    found.discard(os.getpid())
    return found


def end_all(state: Path, plan: Topology, patience_s: float = 10.0) -> set[int]:
    """Kill every process of the lab until none is left; return those that would not go."""
    with contextlib.suppress(OSError, ValueError):
        os.kill(int((state / "supervisor.pid").read_text()), signal.SIGKILL)
    deadline = time.monotonic() + patience_s
    while left := belonging(state, plan):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                # A stopped process is killed too, but its tracing parent may sleep beside it.
                os.kill(pid, signal.SIGCONT)
        if time.monotonic() > deadline:
            return left
        time.sleep(0.05)
    return set()
