"""Kills trials at random moments, undoes them, and compares the lab with how it was before.

``python -m tests.lab.kill --count 20`` tries it on the lab that is up; ends with 1 when anything differs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import Lab
from tests.lab.facts import facts, settled
from tests.trials import SEATRIAL, kill_tree, seatrial

TRIALS = (
    ("resilience", "DB-5"),
    ("resilience", "MSG-2"),
    ("resilience", "OPS-2"),
    ("resilience", "OPS-3"),
    ("conformance", "DB-4"),
)
"""What is tried, each with faults or equipment of its own."""
BEGINS_WITHIN_S, LASTS_S, UNDONE_WITHIN_S = 180.0, 60.0, 400.0


@dataclass(frozen=True)
class Kill:
    """One trial that was killed, and what was found afterwards."""

    trial: str
    after_s: float
    open_then: tuple[str, ...]
    """Faults and equipment that were in the deployment when it was killed."""
    undo: tuple[int, int]
    """How undo ended, and how it ended again."""
    said: str
    differs: dict[str, list[Any]]

    @property
    def good(self) -> bool:
        """Whether everything is as before."""
        return self.undo == (0, 0) and not self.differs


def kill_one(lab: Lab, before: dict[str, Any], dice: random.Random, out: Path) -> Kill:
    """Start a trial, kill it with all its processes some seconds after it has begun to touch the lab, undo it twice."""
    suite, requirement = dice.choice(TRIALS)
    after_s = round(dice.uniform(0, LASTS_S), 1)
    argv = ["run", suite, "--target", str(lab.target), "--out", str(out), "--requirement", requirement]
    process = subprocess.Popen([*SEATRIAL, *argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        journal = _begun(process, out)
        _lasts(process, after_s)
    finally:
        kill_tree(process.pid)
        process.wait()
    left = _open(journal)
    undone = [seatrial("undo", str(journal.parent), "--target", str(lab.target), limit_s=UNDONE_WITHIN_S) for _ in "12"]
    differs = settled(lab, before)
    said = "".join(done.stdout + done.stderr for done in undone)
    return Kill(f"{suite} {requirement}", after_s, left, (undone[0].returncode, undone[1].returncode), said, differs)


def _begun(process: subprocess.Popen[bytes], out: Path) -> Path:
    """Wait until the trial says that it is about to touch the lab; return its journal."""
    deadline = time.monotonic() + BEGINS_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        for journal in out.glob("*/journal.jsonl"):
            if '"kind":"prepared"' in journal.read_text():
                return journal
        time.sleep(0.02)
    message = "the trial has not begun to touch anything"
    raise AssertionError(message)


def _lasts(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _open(journal: Path) -> tuple[str, ...]:
    events = [json.loads(line) for line in journal.read_text().splitlines() if line.endswith("}")]
    prepared = {e["data"]["id"]: e["data"]["fault"] for e in events if e["kind"] == "prepared"}
    undone = {e["data"]["injection"] for e in events if e["kind"] == "undone"}
    return tuple(fault for injection, fault in prepared.items() if injection not in undone)


def main() -> int:
    """Kill as often as asked, and say what each left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", type=Path, help="of the lab (default: that of the lab that is up)")
    options = parser.parse_args()
    told = subprocess.run(
        [sys.executable, "-m", "seatrial_lab", "target", "--file"], check=False, capture_output=True, text=True
    )
    if options.target is None and told.returncode:
        parser.error(told.stderr.strip())
    lab = Lab(options.target or Path(told.stdout.strip()))
    dice, before = random.Random(options.seed), facts(lab)
    bad = 0
    for number in range(1, options.count + 1):
        with tempfile.TemporaryDirectory(prefix="seatrial-kill-") as out:
            kill = kill_one(lab, before, dice, Path(out))
        bad += not kill.good
        state = (
            "as before"
            if kill.good
            else f"DIFFERS: undo {kill.undo}\n{kill.said}\n{json.dumps(kill.differs, indent=1)}"
        )
        left = ", ".join(kill.open_then) or "nothing"
        print(f"{number:3} {kill.trial:18} killed after {kill.after_s:5.1f} s with {left}: {state}", flush=True)
    print(f"{options.count} killed, {bad} not as before (seed {options.seed})")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
