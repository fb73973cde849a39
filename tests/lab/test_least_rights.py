"""An account with what ``seatrial rbac`` prints and nothing else is enough for its grant; so is a strict namespace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from seatrial import waiting
from seatrial.clients.deployment import Deployment
from seatrial.discovery import discover
from seatrial.entry.target import load_target
from seatrial.faults.fixture_pod import AgentPod
from seatrial.model.target import Grant, Namespaces
from tests.conftest import Lab
from tests.trials import seatrial, try_out

STRICT = "try-restricted"


@pytest.fixture
def least(lab: Lab, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A target whose account has the rights of its grant and no others; what was applied is gone afterwards."""
    grant: Grant = request.param
    name = f"least-{grant.value}"
    printed = seatrial("rbac", "--grant", grant.value, "--target", str(lab.target), "--name", name)
    assert printed.returncode == 0, printed.stderr
    lab.kubectl("apply", "-f", "-", text=printed.stdout)
    try:
        yield _target(lab, tmp_path, grant, name)
    finally:
        lab.kubectl("delete", "--ignore-not-found", "-f", "-", text=printed.stdout)


def _target(lab: Lab, into: Path, grant: Grant, name: str) -> Path:
    document = yaml.safe_load(lab.target.read_text())
    token = lab.kubectl("create", "token", name, "-n", document["namespaces"]["control_plane"], "--duration=2h").strip()
    config = yaml.safe_load((lab.target.parent / "admin.kubeconfig").read_text())
    config["users"] = [{"name": name, "user": {"token": token}}]
    config["contexts"][0]["context"]["user"] = name
    (into / "kubeconfig").write_text(yaml.safe_dump(config))
    document["kubernetes"]["kubeconfig"] = str(into / "kubeconfig")
    document["grant"] = grant.value
    path = into / "target.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("least", list(Grant), indirect=True, ids=str)
def test_doctor_misses_nothing(least: Path) -> None:
    """Every finding is ok: what is asked for is what was granted."""
    done = seatrial("doctor", "--target", str(least), "--json")
    findings = json.loads(done.stdout)
    assert [finding for finding in findings if finding["state"] != "ok"] == []
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("least", [Grant.MUTATE], indirect=True, ids=str)
def test_conformance_passes_with_the_rights_of_mutate(least: Path, tmp_path: Path) -> None:
    """Nothing that the suite does needs more; nothing is hidden from it."""
    trial = try_out("conformance", least, tmp_path / "out")
    assert set(trial.outcomes.values()) == {"conforms"}, trial.said
    assert trial.status == 0, trial.said
    assert trial.folder is not None
    assert "forbids" not in (trial.folder / "journal.jsonl").read_text()


@pytest.mark.long
@pytest.mark.parametrize("least", [Grant.DISRUPT], indirect=True, ids=str)
def test_resilience_passes_with_the_rights_of_disrupt(least: Path, tmp_path: Path) -> None:
    """All faults are injected and taken back with what was granted."""
    trial = try_out("resilience", least, tmp_path / "out")
    assert set(trial.outcomes.values()) == {"conforms"}, trial.said
    assert trial.status == 0, trial.said
    assert trial.folder is not None
    assert "forbids" not in (trial.folder / "journal.jsonl").read_text()


@pytest.fixture
def strict(lab: Lab) -> Iterator[str]:
    """A namespace in which nothing is admitted that the Pod Security Standard *restricted* does not allow."""
    lab.kubectl("create", "namespace", STRICT)
    try:
        lab.kubectl("label", "namespace", STRICT, "pod-security.kubernetes.io/enforce=restricted")
        yield STRICT
    finally:
        lab.kubectl("delete", "namespace", STRICT, "--wait=false")


def test_the_own_pod_is_admitted_and_ready_where_nothing_runs_as_root(lab: Lab, strict: str) -> None:
    """Kubernetes itself judges, and the image of the Keystone API runs as nobody in particular."""
    target = load_target(lab.target)
    agent = AgentPod()
    with Deployment(target) as real:
        inventory = discover(real)
    with Deployment(replace(target, namespaces=Namespaces(strict, target.namespaces.operators))) as there:
        injection = agent.prepare(there, inventory, 1)
        agent.inject(there, injection)
        try:
            ready = waiting.poll(
                lambda: agent.holds(there, injection),
                lambda look: look.so,
                within_s=waiting.seconds({}, "agent_start"),
            )
            assert ready.met, ready.value.proof
            access = agent.access(injection)
            whose = there.kube.exec(
                access.pod,
                ["python3", "-c", "import os; print(os.getuid())"],
                namespace=strict,
                container=access.container,
            )
            assert int(whose.stdout) > 0, whose
        finally:
            agent.undo(there, injection, 0.0)
    refusal = lab.refusal("run", "-n", strict, "loose", "--image=lab.local/base:1", "--restart=Never")
    assert "violates PodSecurity" in refusal
