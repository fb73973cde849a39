"""kill -9 of the harness at any point leaves a journal from which everything is put right."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.conftest import Lab
from tests.lab.facts import facts, settled
from tests.lab.kill import kill_one
from tests.trials import kill_when, seatrial

COUNT, SEED = 3, 20


@pytest.mark.parametrize("moment", ["injecting", "undoing"])
def test_what_a_killed_run_left_is_taken_back(lab: Lab, tmp_path: Path, moment: str) -> None:
    """Killed while it freezes all operators, or while it takes that back: afterwards all is as before."""
    before = facts(lab)
    argv = ["run", "resilience", "--target", str(lab.target), "--out", str(tmp_path), "--requirement", "OPS-3"]
    folder = kill_when(argv, tmp_path, moment, "pause_process")
    for _ in range(2):  # undoing twice is as good as once
        done = seatrial("undo", str(folder), "--target", str(lab.target))
        assert done.returncode == 0, done.stdout + done.stderr
    assert settled(lab, before) == {}
    events = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    open_ones = {e["data"]["id"] for e in events if e["kind"] == "prepared"}
    open_ones -= {e["data"]["injection"] for e in events if e["kind"] == "undone"}
    assert not open_ones


def test_killed_at_random_moments(lab: Lab, tmp_path: Path) -> None:
    """A few of what `make kill` does as often as wanted."""
    dice, before = random.Random(SEED), facts(lab)
    for number in range(COUNT):
        kill = kill_one(lab, before, dice, tmp_path / str(number))
        assert kill.good, kill
