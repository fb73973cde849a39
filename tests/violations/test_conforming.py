"""The lab as it should be keeps all its promises, with real faults injected and a filled ledger."""

from __future__ import annotations

import json

import pytest

from tests import leaks
from tests.conftest import Lab
from tests.trials import Trial, seatrial, try_out


@pytest.fixture(scope="module")
def trial(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """One run of everything."""
    return try_out("acceptance", lab.target, tmp_path_factory.mktemp("acceptance"))


def test_every_requirement_conforms(trial: Trial) -> None:
    """Nine promises, nine kept, exit status 0."""
    assert trial.outcomes == dict.fromkeys(trial.outcomes, "conforms"), {
        r: v["because"] for r, v in trial.verdicts.items() if v["outcome"] != "conforms"
    }
    assert len(trial.outcomes) == 9
    assert trial.status == 0


def test_the_ledger_is_filled_and_nothing_acknowledged_is_lost(trial: Trial) -> None:
    """Projects, rows and messages were acknowledged while members died, and each of them is found again."""
    assert trial.folder is not None
    events = [json.loads(line) for line in (trial.folder / "journal.jsonl").read_text().splitlines()]
    ledgers = [e["data"]["value"] for e in events if e["kind"] == "observation" and e["data"]["probe"] == "ledger"]
    kinds = {ledger["kind"] for ledger in ledgers}
    assert kinds == {"keystone_project", "sql_row", "amqp_message"}
    for ledger in ledgers:
        assert ledger["acknowledged"] > 0
        assert ledger["lost"] == []


def test_every_fault_took_hold_and_is_gone(trial: Trial) -> None:
    """No hurt without proof, and none left."""
    assert trial.folder is not None
    events = [json.loads(line) for line in (trial.folder / "journal.jsonl").read_text().splitlines()]
    seen = [e["data"] for e in events if e["kind"] == "observation"]
    held = [o for o in seen if o["probe"] == "fault.took_hold"]
    assert held
    assert all(o["value"]["held"] for o in held)
    assert all(o["value"]["gone"] for o in seen if o["probe"] == "fault.is_gone")
    prepared = {e["data"]["id"] for e in events if e["kind"] == "prepared"}
    assert prepared == {e["data"]["injection"] for e in events if e["kind"] == "undone"}


def test_judging_again_gives_the_same_verdicts(trial: Trial) -> None:
    """The stored evidence alone is enough."""
    assert trial.folder is not None
    before = trial.outcomes
    done = seatrial("judge", str(trial.folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert trial.outcomes == before


def test_no_secret_of_the_lab_is_in_the_run_folder(lab: Lab, trial: Trial) -> None:
    """Every confidential value of every Secret is looked for in every file, and in what the command said."""
    assert trial.folder is not None
    secrets = leaks.of_lab(lab)
    assert len(secrets) > 5
    assert leaks.leaks([trial.folder], secrets, trial.said) == []


def test_only_its_owner_can_read_the_run(trial: Trial) -> None:
    """Names of everything in a deployment are in there."""
    assert trial.folder is not None
    assert leaks.open_to_others(trial.folder) == []


def test_the_deployment_is_as_before(lab: Lab, trial: Trial) -> None:
    """Nothing of the harness is left in it."""
    assert lab.get("pods", "-n", "openstack", "-l", "app.kubernetes.io/part-of=seatrial")["items"] == []
