"""kill -9 of the harness at any point leaves a journal from which everything is put right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Lab
from tests.trials import kill_when, seatrial


def stopped(lab: Lab) -> list[str]:
    """Return the pods in which a process is stopped."""
    script = "grep -ls '^[0-9]* (.*) T' /proc/[0-9]*/stat || true"
    pods = [p for ns in ("openstack", "openstack-operators") for p in lab.get("pods", "-n", ns)["items"]]
    running = [p["metadata"] for p in pods if p["status"]["phase"] == "Running"]
    return [
        m["name"]
        for m in running
        if lab.kubectl("exec", "-n", m["namespace"], m["name"], "--", "sh", "-c", script).strip()
    ]


@pytest.mark.parametrize("moment", ["prepared", "injecting", "injected", "undoing"])
def test_what_a_killed_run_left_is_taken_back(lab: Lab, tmp_path: Path, moment: str) -> None:
    """Killed while it pauses all operators: afterwards nothing is stopped, and nothing of the harness is there."""
    argv = ["run", "resilience", "--target", str(lab.target), "--out", str(tmp_path), "--requirement", "OPS-3"]
    folder = kill_when(argv, tmp_path, moment, "pause_process")
    for _ in range(2):  # undoing twice is as good as once
        done = seatrial("undo", str(folder), "--target", str(lab.target))
        assert done.returncode == 0, done.stdout + done.stderr
    assert stopped(lab) == []
    assert lab.get("pods", "-n", "openstack", "-l", "app.kubernetes.io/part-of=seatrial")["items"] == []
    events = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    open_ones = {e["data"]["id"] for e in events if e["kind"] == "prepared"}
    open_ones -= {e["data"]["injection"] for e in events if e["kind"] == "undone"}
    assert not open_ones
