"""Whole programs against a deployment in miniature: what they end with, and what they leave behind them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from seatrial.entry.exit_status import Exit
from tests.standin import serving

ROOT = Path(__file__).parents[2]


def program(*argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program as a person does."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    environment = {**kept, "SEATRIAL_CACHE": str(cwd / "cache")}
    return subprocess.run(argv, cwd=cwd, env=environment, check=False, capture_output=True, text=True, timeout=300)


def sealed(folder: Path) -> bool:
    return subprocess.run(["sha256sum", "--quiet", "-c", "MANIFEST"], cwd=folder, check=False).returncode == 0


def test_a_run_with_the_grant_observe_tries_what_it_may_and_touches_nothing(tmp_path: Path) -> None:
    """It says how much of it that was, changes nothing, and leaves a sealed folder, though not all could be told."""
    with serving() as standin:
        target = standin.target(tmp_path / "target")
        argv = ("run", "conformance", "--target", str(target), "--out", "reports")
        done = program(sys.executable, "-m", "seatrial", *argv, cwd=tmp_path)
        assert standin.changed == []
    assert done.returncode == Exit.INCONCLUSIVE, done.stdout + done.stderr
    assert "tried 3 of 6 promises" in done.stdout
    [folder] = (tmp_path / "reports").iterdir()
    plan = json.loads((folder / "run.json").read_text())["plan"]
    assert plan["requirements"] == ["API-3", "OPS-1", "OPS-2"]
    assert {entry["requirements"][0] for entry in plan["not_tried"]} == {"API-1", "DB-4", "SCALE-1"}
    assert sealed(folder)
    judged = program(sys.executable, "-m", "seatrial", "judge", str(folder), cwd=tmp_path)
    assert "the same verdicts as stored" in judged.stdout


def test_pytest_alone_runs_the_suites_and_seals_the_run(tmp_path: Path) -> None:
    """As README says: `pytest suites --target FILE`; every scenario is collected once."""
    with serving() as standin:
        target = standin.target(tmp_path / "target")
        run = tmp_path / "run"
        argv = ("-m", "pytest", "suites", "--target", str(target), "--run-dir", str(run), "-p", "no:cacheprovider")
        done = program(sys.executable, *argv, "--requirement", "OPS-1", "--requirement", "DB-5", cwd=ROOT)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "1 inconclusive" in done.stdout
    assert "3 skipped" in done.stdout
    assert sealed(run)


@pytest.mark.parametrize(("heals", "status"), [(True, Exit.CONFORMS), (False, Exit.NOT_RESTORED)])
def test_chaos_run_ends_with_what_became_of_the_deployment(tmp_path: Path, heals: bool, status: Exit) -> None:
    """Chaostoolkit knows nothing of an undo that failed: its program must not end with 0 then."""
    module = "seatrial.entry.chaos"
    provider = {"type": "python", "module": module}
    hurt = {"fault": "delete_pod", "parameters": {"component": "memcached", "pick": "one"}}
    with serving(heals=heals) as standin:
        target = standin.target(tmp_path / "target", grant="disrupt")
        experiment = {
            "title": "A pod is deleted",
            "description": "and comes back, or does not",
            "configuration": {"target": str(target), "out": "reports"},
            "controls": [{"name": "seatrial", "provider": provider}],
            "method": [
                {"type": "action", "name": "hurt", "provider": {**provider, "func": "disrupt", "arguments": hurt}}
            ],
        }
        (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(experiment))
        chaos = str(Path(sys.executable).with_name("chaos"))
        done = program(chaos, "--no-version-check", "run", "experiment.yaml", cwd=tmp_path)
        told = done.stdout + done.stderr
        assert done.returncode == status, told
        assert any(
            method == "DELETE" and path.startswith("/api/v1/namespaces/openstack/pods/")
            for method, path in standin.changed
        )
    [folder] = (tmp_path / "reports").iterdir()
    assert sealed(folder)
    journal = json.loads((tmp_path / "journal.json").read_text())
    assert journal["status"] == ("completed" if heals else "failed")
    assert ("seatrial undo" in told) is not heals


def test_chaos_run_ends_with_3_when_the_target_is_no_good(tmp_path: Path) -> None:
    """Nothing was touched: no promise is broken."""
    provider = {"type": "python", "module": "seatrial.entry.chaos"}
    experiment = {
        "title": "t",
        "description": "d",
        "configuration": {"target": "none.yaml"},
        "controls": [{"name": "seatrial", "provider": provider}],
        "method": [
            {"type": "probe", "name": "p", "provider": {**provider, "func": "whole", "arguments": {"component": "x"}}}
        ],
    }
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    chaos = str(Path(sys.executable).with_name("chaos"))
    done = program(chaos, "--no-version-check", "run", "experiment.yaml", cwd=tmp_path)
    assert done.returncode == Exit.BAD_INPUT, done.stdout + done.stderr
    assert not (tmp_path / "reports").exists()
