"""What a run leaves beside the page: JUnit, the document to sign, the hashes, and the closing lines."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from paper_runs import Recorder, core_run
from rich.console import Console

from seatrial.model.errors import BadInput
from seatrial.reporting import seal, show, verify, write_all


def junit(folder: Path) -> ET.Element:
    suite = ET.parse(folder / "junit.xml").getroot().find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    return suite


def test_in_junit_inconclusive_is_an_error_and_violated_a_failure(tmp_path: Path) -> None:
    """Neither ever passes or is skipped; a requirement that was never judged is an error too."""
    folder = core_run(tmp_path / "run", broken=True)
    write_all(folder)
    suite = junit(folder)
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "9",
        "failures": "2",
        "errors": "1",
        "skipped": "0",
    }
    error = suite.find(".//error")
    assert error is not None
    assert error.get("type") == "inconclusive"
    failure = suite.find("testcase[@classname='resilience.DB-5']/failure")
    assert failure is not None
    assert len(failure.get("message") or "") <= 120
    assert "violating: pod/openstack/openstack-galera-2" in (
        suite.findtext("testcase[@classname='resilience.DB-5']/system-out") or ""
    )

    other = Recorder(tmp_path / "other", requirements=("API-3", "DB-5"))
    seen = other.observe("x", "y", 1)
    other.judge("API-3", "conforms", "yes", (seen,), scenario="s")
    write_all(other.save(state="cut short: killed"))
    assert (junit(tmp_path / "other").get("errors"), junit(tmp_path / "other").get("tests")) == ("1", "2")


def test_junit_survives_what_xml_cannot_hold(tmp_path: Path) -> None:
    """Control characters of a raw answer must not make the file unreadable for CI."""
    run = Recorder(tmp_path / "run", requirements=("DB-5",))
    seen = run.observe("x", "y", 1)
    run.judge("DB-5", "violates", "a\x00b\x1b[31m \ufffe & <c>", (seen,), scenario="s\x07", violating=("pod/a/\x01",))
    write_all(run.save())
    failure = junit(tmp_path / "run").find(".//failure")
    assert failure is not None
    assert "& <c>" in (failure.get("message") or "")


def test_the_manifest_holds_every_file_and_notices_every_change(tmp_path: Path) -> None:
    """``sha256sum -c`` reads it; so does ``verify``, which also sees what was added."""
    folder = core_run(tmp_path / "run")
    (folder / "evidence").mkdir()
    (folder / "evidence" / "001-DB-5.json").write_text("{}")
    write_all(folder)
    seal(folder)
    assert verify(folder) == ()
    subprocess.run(["sha256sum", "--quiet", "-c", "MANIFEST"], cwd=folder, check=True)
    (folder / "evidence" / "001-DB-5.json").write_text("{ }")
    (folder / "sign-off.md").unlink()
    (folder / "more").write_text("")
    assert verify(folder) == ("evidence/001-DB-5.json was changed", "sign-off.md is missing", "more was added")
    (folder / "MANIFEST").write_text("nonsense\n")
    with pytest.raises(BadInput, match="line 1"):
        verify(folder)


def test_writing_again_gives_the_same_files(tmp_path: Path) -> None:
    """Nothing of the moment of writing gets in: a report can be compared with one made elsewhere."""
    folder = core_run(tmp_path / "run", broken=True)
    write_all(folder)
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_all(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first


def test_the_document_to_sign_accepts_nothing_that_was_not_judged(tmp_path: Path) -> None:
    """A kept trial can be accepted; a broken or unfinished one only in spite of it."""
    good, bad = core_run(tmp_path / "good"), core_run(tmp_path / "bad", broken=True)
    cut = Recorder(tmp_path / "cut").save(state="cut short: killed")
    texts = {}
    for folder in (good, bad, cut):
        write_all(folder)
        texts[folder.name] = (folder / "sign-off.md").read_text(encoding="utf-8")
    assert "| Accepted |" in texts["good"]
    assert "| Accepted in spite of the above, because |" in texts["bad"]
    assert "✕ violates" in texts["bad"]
    assert "this document does not accept anything" in texts["cut"]
    assert "journal.jsonl" in texts["good"]


def test_the_closing_lines_give_counts_and_the_place(tmp_path: Path) -> None:
    """A line per promise first; how many of each verdict and where the report is last."""
    folder = core_run(tmp_path / "run", broken=True)
    out = io.StringIO()
    show(folder, Console(file=out, width=200))
    lines = out.getvalue().rstrip().splitlines()
    assert lines[0].startswith("API-1    ✕ violates       reports-reader (reports) speaks galera")
    assert "VERDICT  ✕ lab-core breaks 2 of 9 promises: API-1 and DB-5; OPS-3 could not be judged." in lines
    assert "verdicts: 2 violates, 1 inconclusive, 6 conforms, 0 not applicable" in lines
    assert lines[-1] == f"report: {folder / 'report.html'}"


def test_a_folder_without_a_run_is_the_users_problem(tmp_path: Path) -> None:
    """One clear error, and nothing is written."""
    with pytest.raises(BadInput, match=r"no run\.json"):
        write_all(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_cut_at_any_byte_gives_a_report_or_one_clear_error(tmp_path: Path) -> None:
    """A torn last line is what a kill leaves; the report tells the rest, and says that the run did not end."""
    run = Recorder(tmp_path / "run", requirements=("DB-5",))
    seen = run.observe("x", "y", {"umlaut": "ä"})
    run.hurt("kill_process", "pod/a/b", hold=1)
    run.judge("DB-5", "conforms", "yes", (seen,), scenario="s")
    folder = run.save(state="running", verdicts=False)
    whole = (folder / "journal.jsonl").read_bytes()
    for size in range(0, len(whole), 97):
        (folder / "journal.jsonl").write_bytes(whole[:size])
        write_all(folder)
        assert "did not come to its end" in (folder / "report.html").read_text(encoding="utf-8")
