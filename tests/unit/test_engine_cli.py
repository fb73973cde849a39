"""The command line refuses what it cannot use with one clear message and exit status 3, and touches nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seatrial.entry.cli import main
from seatrial.entry.exit_status import Exit, of_verdicts
from seatrial.journal.codec import encode
from seatrial.journal.folder import RunFolder
from seatrial.journal.writer import JournalWriter
from seatrial.model.fault import Injection
from seatrial.model.inventory import Inventory
from seatrial.model.journal import EventKind
from seatrial.model.observation import Observation, ObservationId, Subject
from seatrial.model.requirement import RequirementId
from seatrial.model.run import Plan, Run
from seatrial.model.verdict import Outcome, Verdict


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["rum"], "did you mean 'run'"),
        ([], "COMMAND"),
        (["run"], "SUITE"),
        (["run", "resilence", "--target", "t"], "did you mean 'resilience'"),
        (["run", "resilience", "--target", "t", "--requirement", "db5"], "did you mean 'DB-5'"),
        (["run", "resilience", "--target", "nowhere.yaml"], "No such file"),
        (["run", "resilience", "--target", "t", "--seed", "x"], "invalid int"),
        (["plan", "conformance", "--requirement", "XX-1"], "unknown requirement"),
        (["judge", "nowhere"], "no such folder"),
        (["undo", "nowhere"], "no such folder"),
        (["report", "nowhere"], "no such folder"),
        (["catalogue", "DB-6"], "did you mean 'DB-"),
        (["doctor", "--target", "nowhere.yaml"], "No such file"),
    ],
)
def test_bad_input_gets_one_clear_message_and_status_3(
    arguments: list[str], word: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where, what was found, what is accepted; no traceback, and no file left behind."""
    monkeypatch.chdir(tmp_path)
    try:
        status = main(arguments)
    except SystemExit as left:
        status = int(left.code or 0)
    told = capsys.readouterr().err
    assert status == Exit.BAD_INPUT
    assert word in told
    assert "Traceback" not in told
    assert not list(tmp_path.iterdir())


def stored(tmp_path: Path, *, state: str = "complete") -> RunFolder:
    """Return a small stored run: OPS-1 judged on one observation, and one injection that nobody took back."""
    folder = RunFolder.create(tmp_path / "reports", "lab", "conformance")
    plan = Plan("lab", "conformance", 1, (RequirementId("OPS-1"), RequirementId("DB-4")), ("s",), "observe")
    folder.save_run(Run(folder.id, plan, datetime.now(UTC), None, {}, (), state))
    inventory = Inventory(datetime.now(UTC), (), (), (), (), (), ())
    file = folder.save_inventory(inventory).name
    look = Observation(
        ObservationId("o-1"), "resource.operators", Subject("d"), datetime.now(UTC), 0.1, error="cut off"
    )
    with JournalWriter(folder.journal) as journal:
        journal.append(EventKind.INVENTORY, {"file": file})
        journal.append(EventKind.OBSERVATION, encode(look))
        evidence = {"requirement": "OPS-1", "scenario": "s", "inventory": file, "observations": ["o-1"]}
        journal.append(EventKind.EVIDENCE, evidence)
        injection = Injection("i-1", "pause_process", {"component": "galera"}, (Subject("pod/a/b"),), {"pid": 1})
        journal.append(EventKind.PREPARED, encode(injection))
    return folder


def test_a_stored_run_is_judged_again_from_its_files_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Blind evidence stays inconclusive, and so does a promise of the plan for which there is none."""
    folder = stored(tmp_path)
    assert main(["judge", str(folder.path), "--json"]) == Exit.INCONCLUSIVE
    told = json.loads(capsys.readouterr().out)
    outcomes = {verdict["requirement"]: verdict["outcome"] for verdict in told["verdicts"]}
    assert outcomes == {"OPS-1": "inconclusive", "DB-4": "inconclusive"}


def test_a_run_folder_cut_anywhere_is_judged_or_refused_never_a_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever byte its files end at: a verdict that is not *conforms*, or one clear message."""
    folder = stored(tmp_path)
    for path in (folder.journal, folder.run_json, folder.path / "inventory-1.json"):
        whole = path.read_bytes()
        for cut in range(0, len(whole), max(1, len(whole) // 40)):
            path.write_bytes(whole[:cut])
            assert main(["judge", str(folder.path)]) in (Exit.INCONCLUSIVE, Exit.BAD_INPUT)
        path.write_bytes(whole)
    assert "Traceback" not in capsys.readouterr().err


def test_undo_without_a_target_says_that_one_is_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The run does not name its target file, so it has to be given; nothing is tried without."""
    assert main(["undo", str(stored(tmp_path).path)]) == Exit.BAD_INPUT
    assert "--target" in capsys.readouterr().err


def test_undo_of_a_whole_run_has_nothing_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was proven gone is not touched again."""
    folder = stored(tmp_path)
    with JournalWriter(folder.journal) as journal:
        journal.append(EventKind.UNDONE, {"injection": "i-1"})
    assert main(["undo", str(folder.path)]) == Exit.CONFORMS
    assert "nothing was left behind" in capsys.readouterr().out


def test_undo_does_not_say_that_all_is_well_when_it_could_not_read_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that was damaged may have been a recipe."""
    folder = stored(tmp_path)
    with JournalWriter(folder.journal) as journal:
        journal.append(EventKind.UNDONE, {"injection": "i-1"})
    lines = folder.journal.read_text().splitlines()
    folder.journal.write_text("\n".join(["damaged", *lines[1:]]) + "\n")
    assert main(["undo", str(folder.path)]) == Exit.INCONCLUSIVE
    assert "1 line of the journal could not be read" in capsys.readouterr().out


def test_the_exit_status_follows_the_worst_verdict() -> None:
    """Nothing judged is inconclusive; a violation outweighs what could not be told."""
    seen = (ObservationId("o-1"),)
    conforms = Verdict(RequirementId("DB-4"), Outcome.CONFORMS, "b", seen=seen)
    unsure = Verdict(RequirementId("DB-5"), Outcome.INCONCLUSIVE, "b")
    violates = Verdict(RequirementId("OPS-1"), Outcome.VIOLATES, "b", violating=(Subject("s"),), seen=seen)
    assert of_verdicts([]) is Exit.INCONCLUSIVE
    assert of_verdicts([conforms]) is Exit.CONFORMS
    assert of_verdicts([conforms, unsure]) is Exit.INCONCLUSIVE
    assert of_verdicts([violates, unsure]) is Exit.VIOLATED
