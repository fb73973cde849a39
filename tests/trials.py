"""Running the harness as a person does, from the command line, and reading what it left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEATRIAL = [sys.executable, "-m", "seatrial"]
LIMIT_S = 900.0


@dataclass(frozen=True)
class Trial:
    """One run of the harness."""

    status: int
    said: str
    folder: Path | None

    @property
    def verdicts(self) -> dict[str, dict[str, Any]]:
        """What was judged, by requirement."""
        assert self.folder is not None, self.said
        run = json.loads((self.folder / "run.json").read_text())
        return {verdict["requirement"]: verdict for verdict in run["verdicts"]}

    @property
    def outcomes(self) -> dict[str, str]:
        """How each requirement fared."""
        return {requirement: verdict["outcome"] for requirement, verdict in self.verdicts.items()}


def seatrial(*argv: str, limit_s: float = LIMIT_S) -> subprocess.CompletedProcess[str]:
    """Run one command of the harness, bounded in time."""
    return subprocess.run([*SEATRIAL, *argv], check=False, capture_output=True, text=True, timeout=limit_s)


def try_out(suite: str, target: Path, out: Path, requirements: Sequence[str] = ()) -> Trial:
    """Run a suite, whole or for some requirements."""
    chosen = [word for requirement in requirements for word in ("--requirement", requirement)]
    done = seatrial("run", suite, "--target", str(target), "--out", str(out), *chosen)
    folders = sorted(out.glob(f"*-{suite}"))
    return Trial(done.returncode, done.stdout + done.stderr, folders[-1] if folders else None)


def try_one_scenario(suite: str, target: Path, folder: Path, name: str) -> Trial:
    """Run the scenarios whose names hold some words, through plain pytest."""
    suites = Path(__file__).parents[1] / "suites"
    argv = [sys.executable, "-m", "pytest", str(suites), "--suite", suite, "-W", "default"]
    argv += ["-k", name, "--target", str(target), "--run-dir", str(folder)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=LIMIT_S)
    return Trial(done.returncode, done.stdout + done.stderr, folder)


def kill_when(argv: Sequence[str], out: Path, kind: str, fault: str) -> Path:
    """Start a run, and kill -9 all its processes when its journal says a thing of a fault; return its folder."""
    process = subprocess.Popen([*SEATRIAL, *argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + LIMIT_S
    injections: set[str] = set()
    try:
        while time.monotonic() < deadline:
            assert process.poll() is None, "the run ended before it could be killed"
            for journal in out.glob("*/journal.jsonl"):
                for line in journal.read_text().splitlines():
                    event = json.loads(line) if line.endswith("}") else {}
                    if event.get("kind") == "prepared" and event["data"]["fault"] == fault:
                        injections.add(event["data"]["id"])
                    named = event.get("data", {}).get("injection") or event.get("data", {}).get("id")
                    if event.get("kind") == kind and named in injections:
                        return journal.parent
            time.sleep(0.02)
        message = f"no {kind} of {fault} within {LIMIT_S} s"
        raise AssertionError(message)
    finally:
        kill_tree(process.pid)
        process.wait()


def kill_tree(pid: int) -> None:
    """kill -9 a process and all its descendants, as losing the machine's power would."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    doomed, queue = [], [pid]
    while queue:
        doomed.append(queue.pop())
        queue.extend(children.get(doomed[-1], []))
    for one in doomed:
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            continue
