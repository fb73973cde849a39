"""One trial at a time, on a deployment that everybody sees: refused, stopped from another terminal, told in Events."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import Lab
from tests.trials import LIMIT_S, SEATRIAL, seatrial

TRIAL = ("run", "resilience", "--requirement", "OPS-3")


@contextmanager
def going_on(lab: Lab, out: Path) -> Iterator[subprocess.Popen[str]]:
    """Let a trial go on that freezes all operators, until it has frozen them; end it in good order if nobody does."""
    argv = [*SEATRIAL, *TRIAL, "--target", str(lab.target), "--out", str(out)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_until(lambda: frozen(out) or process.poll() is not None)
        assert process.poll() is None, process.communicate()[0]
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=LIMIT_S)


def wait_until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


def journal(out: Path) -> list[dict[str, Any]]:
    lines = [line for path in out.glob("*/journal.jsonl") for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines if line.endswith("}")]


def frozen(out: Path) -> bool:
    hurts = {e["data"]["id"] for e in journal(out) if e["kind"] == "prepared" and e["data"]["fault"] == "pause_process"}
    return any(e["kind"] == "injected" and e["data"]["injection"] in hurts for e in journal(out))


def leases(lab: Lab) -> list[str]:
    return [item["metadata"]["name"] for item in lab.get("leases.coordination.k8s.io", "-n", "openstack")["items"]]


def test_a_second_trial_is_refused_and_the_first_is_stopped_from_another_terminal(lab: Lab, tmp_path: Path) -> None:
    """Who it is told is who it is; after the stop nothing is open, and the deployment is free again."""
    first, second = tmp_path / "first", tmp_path / "second"
    with going_on(lab, first) as process:
        run = next(first.glob("*-resilience")).name
        refused = seatrial(*TRIAL, "--target", str(lab.target), "--out", str(second))
        assert refused.returncode == 3, refused.stdout + refused.stderr
        assert f"run {run}" in " ".join(refused.stderr.split())
        assert not list(second.glob("*")), "a refused trial leaves nothing"

        def says_what_is_open() -> bool:
            told = json.loads(seatrial("status", "--json", "--target", str(lab.target)).stdout)
            assert (told["held"], told["run"], told["suite"]) == (True, run, "resilience")
            return any("pause_process" in line for line in told["open"])

        wait_until(says_what_is_open)
        stopped = seatrial("stop", "--target", str(lab.target))
        assert stopped.returncode == 0, stopped.stdout + stopped.stderr
        said, _ = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 2, said
    prepared = {e["data"]["id"] for e in journal(first) if e["kind"] == "prepared"}
    assert prepared == {e["data"]["injection"] for e in journal(first) if e["kind"] == "undone"}
    ended = next(e for e in journal(first) if e["kind"] == "ended")
    assert "stopped by" in ended["data"]["reason"], ended
    assert "seatrial" not in leases(lab)
    assert json.loads(seatrial("status", "--json", "--target", str(lab.target)).stdout) == {"held": False}
    events_name_the_run(lab, run)


def events_name_the_run(lab: Lab, run: str) -> None:
    """Every pod that was hurt says so, twice; the control plane says when the trial began and ended."""
    spaces = ("openstack", "openstack-operators")
    listed = [item for space in spaces for item in lab.get("events.events.k8s.io", "-n", space)["items"]]
    ours = [e for e in listed if e.get("reportingController") == "seatrial" and run in e["note"]]
    reasons = {
        reason: {e["regarding"]["name"] for e in ours if e["reason"] == reason}
        for reason in ("ChaosInjected", "ChaosRecovered")
    }
    assert reasons["ChaosInjected"]
    assert reasons["ChaosInjected"] == reasons["ChaosRecovered"]
    assert all(e["regarding"].get("uid") for e in ours)
    assert {e["reason"] for e in ours if e["regarding"]["kind"] == "OpenStackControlPlane"} == {
        "TrialStarted",
        "TrialEnded",
    }
    assert all(e["related"]["kind"] == "OpenStackControlPlane" for e in ours)
