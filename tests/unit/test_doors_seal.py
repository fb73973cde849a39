"""The seal of a run: written last, checked first, kept when the run changes, and never in the way of an undo."""

from __future__ import annotations

import fcntl
import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from paper_runs import core_run

from seatrial.entry.cli import main
from seatrial.entry.exit_status import Exit
from seatrial.reporting import check_seal, seal, verify, write_all


def sha256sum(folder: Path) -> bool:
    """Tell what the real program says."""
    return subprocess.run(["sha256sum", "--quiet", "-c", "MANIFEST"], cwd=folder, check=False).returncode == 0


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A run as it is left: told, and sealed after that."""
    folder = core_run(tmp_path / "run")
    write_all(folder)
    seal(folder)
    return folder


def test_a_sealed_run_is_judged_and_told_without_a_word_about_its_seal(
    sealed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And stays sealed: judging writes nothing, telling writes the same again."""
    main(["judge", str(sealed), "--json"])
    assert json.loads(capsys.readouterr().out)["remarks"] == []
    assert main(["report", str(sealed)]) == Exit.CONFORMS
    assert sha256sum(sealed)
    assert not (sealed / "MANIFEST.1").exists()


@pytest.mark.parametrize("command", ["judge", "report"])
def test_every_changed_missing_or_added_file_is_named(
    sealed: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """All at once, before anything is judged or written."""
    with (sealed / "journal.jsonl").open("ab") as journal:
        journal.write(b" ")
    (sealed / "run.json").write_bytes((sealed / "run.json").read_bytes() + b"\n")
    (sealed / "junit.xml").unlink()
    (sealed / "more").write_text("")
    before = (sealed / "report.html").read_bytes()
    assert main([command, str(sealed)]) == Exit.BAD_INPUT
    told = capsys.readouterr().err
    for line in (
        "journal.jsonl: found it was changed",
        "run.json: found it was changed",
        "junit.xml: found it is missing",
        "more: found it was added",
    ):
        assert line in told
    assert (sealed / "report.html").read_bytes() == before
    assert not (sealed / "junit.xml").exists()


def test_one_changed_byte_anywhere_is_noticed(sealed: Path) -> None:
    """Whichever file it is in, but for documents that are signed."""
    for path in sorted(sealed.rglob("*")):
        if not path.is_file() or path.name in ("MANIFEST", "sign-off.md"):
            continue
        whole = path.read_bytes()
        path.write_bytes(bytes((whole[0] ^ 1,)) + whole[1:])
        assert verify(sealed) == (f"{path.relative_to(sealed)} was changed",)
        path.write_bytes(whole)


def test_a_signed_document_is_no_forgery(sealed: Path) -> None:
    """Somebody has written a name on it, or put a signature beside it: told, and judged all the same."""
    with (sealed / "sign-off.md").open("a") as document:
        document.write("signed: an acceptance manager\n")
    (sealed / "sign-off.md.sig").write_text("...")
    assert check_seal(sealed) == (
        "sign-off.md was changed since the run was sealed",
        "sign-off.md.sig was added since the run was sealed",
    )


def test_a_signed_document_survives_a_new_report(sealed: Path) -> None:
    """Its text stands for ever; what is said now is written beside it."""
    signed = (sealed / "sign-off.md").read_text() + "signed: an acceptance manager\n"
    (sealed / "sign-off.md").write_text(signed)
    for _ in range(2):
        assert main(["report", str(sealed)]) == Exit.CONFORMS
        assert (sealed / "sign-off.md").read_text() == signed
        assert (sealed / "sign-off-2.md").exists()
        assert not (sealed / "sign-off-3.md").exists()
        assert sha256sum(sealed)


def test_a_run_without_a_manifest_is_judged_with_a_remark(sealed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It was killed before its end."""
    (sealed / "MANIFEST").unlink()
    main(["judge", str(sealed)])
    assert "no MANIFEST" in capsys.readouterr().out


def test_sealing_again_keeps_what_was_sealed_before(sealed: Path) -> None:
    """An undo changes the journal: the new seal holds, and the old one can still be read."""
    old = (sealed / "MANIFEST").read_text()
    for number in (1, 2):
        with (sealed / "journal.jsonl").open("ab") as journal:
            journal.write(b" ")
        seal(sealed)
        assert sha256sum(sealed)
        assert verify(sealed) == ()
        assert (sealed / f"MANIFEST.{number}").exists()
    assert (sealed / "MANIFEST.1").read_text() == old


def test_a_run_that_is_going_on_is_not_sealed_under_its_hands(sealed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever writes its journal holds a lock on it."""
    before = (sealed / "MANIFEST").read_bytes()
    with (sealed / "journal.jsonl").open("rb+") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        assert main(["report", str(sealed)]) == Exit.BAD_INPUT
    assert "still going on" in capsys.readouterr().err
    assert (sealed / "MANIFEST").read_bytes() == before


def test_what_was_not_tried_is_no_part_of_what_is_kept(tmp_path: Path) -> None:
    """The headline says so, JUnit skips it with the reason, and the document to sign lists it."""
    folder = core_run(tmp_path / "run")
    run = json.loads((folder / "run.json").read_text())
    left_out = {"scenario": "A member is lost", "requirements": ["MSG-9"], "why": "needs the grant disrupt"}
    run["plan"]["not_tried"] = [left_out]
    (folder / "run.json").write_text(json.dumps(run))
    write_all(folder)
    for name in ("report.html", "sign-off.md"):
        told = (folder / name).read_text()
        assert "1 not tried: MSG" in told
        assert "needs the grant disrupt" in told
    [skipped] = ET.parse(folder / "junit.xml").getroot().findall(".//skipped")  # noqa: S314 - our own
    assert skipped.get("message") == "needs the grant disrupt"
