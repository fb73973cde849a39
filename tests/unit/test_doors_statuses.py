"""Exit statuses that can be trusted: nothing but a broken promise ends with 1."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seatrial.entry import commands
from seatrial.entry.cli import main
from seatrial.entry.exit_status import Exit
from seatrial.journal.folder import RunFolder
from seatrial.model.errors import BadInput, HarnessBug

SAMPLE = Path(__file__).parents[2] / "reports/sample"


def status(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as left:
        return int(left.code or 0)


@pytest.mark.parametrize("error", [KeyError("x"), OSError(28, "No space left on device"), HarnessBug("a bug")])
def test_a_mistake_of_ours_has_a_status_of_its_own(
    error: Exception, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that says what to do; the traceback is in a file, and on the terminal only when asked for."""

    def fail(_: object) -> list[object]:
        raise error

    monkeypatch.setenv("SEATRIAL_CACHE", str(tmp_path))
    monkeypatch.setattr(commands.loader, "catalogue", lambda: fail(None))
    assert main(["catalogue"]) == Exit.INTERNAL
    told = capsys.readouterr().err
    [file] = (tmp_path / "tracebacks").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert "Traceback" in file.read_text()
    assert "Traceback" not in told
    assert len(told.splitlines()) == 1
    assert str(file) in told
    assert main(["catalogue", "--debug"]) == Exit.INTERNAL
    assert "Traceback" in capsys.readouterr().err


def test_a_traceback_that_can_not_be_kept_does_not_hide_the_mistake(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is where such things happen."""

    def fail() -> object:
        raise KeyError("x")

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEATRIAL_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(commands.loader, "catalogue", fail)
    assert main(["catalogue"]) == Exit.INTERNAL
    assert "KeyError" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["catalogue"], ["catalogue", "--json"], ["report", str(SAMPLE)]])
def test_a_reader_who_leaves_early_changes_nothing(arguments: list[str], tmp_path: Path) -> None:
    """As in `seatrial catalogue | head -1`: quiet, and the status that was earned."""
    if arguments[0] == "report":
        copy = tmp_path / "sample"
        subprocess.run(["cp", "-r", str(SAMPLE), str(copy)], check=True)
        arguments = ["report", str(copy)]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        argv = [sys.executable, "-m", "seatrial", *arguments]
        done = subprocess.run(argv, check=False, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120)
    finally:
        os.close(writing)
    assert done.stderr == ""
    assert done.returncode == Exit.CONFORMS


@pytest.mark.parametrize("out", ["file", "file/below", "/proc/nowhere", "/dev/null"])
def test_a_place_where_no_run_can_be_stored_is_bad_input(
    out: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told with everything else that is wrong, before anything is done."""
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("")
    if out.startswith("/proc"):
        with pytest.raises(BadInput, match="can be made"):
            RunFolder.create(Path(out), "lab", "conformance")
        return
    given = ["run", "conformance", "--target", "none.yaml", "--out", out, "--seed", "-5", "--requirement", "XX-1"]
    assert main(given) == Exit.BAD_INPUT
    told = capsys.readouterr().err
    assert f"--out {out}: found" in told
    assert "--seed: found -5" in told
    assert "none.yaml: found No such file" in told
    assert "unknown requirement 'XX-1'" in told
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "conformance", "--targt", "t.yaml"], ["found --targt", "did you mean '--target'", "--target: found"]),
        (["run", "--targt=t.yaml", "conformance"], ["did you mean '--target'"]),
        (["plan", "conformance", "--sead", "3", "--qiet"], ["found --sead", "found --qiet"]),
        (["catalogue", "db-55"], ["unknown requirement 'DB-55'", "did you mean"]),
        (["doctor", "more", "--target", "t.yaml"], ["arguments: found more"]),
        (["--json", "catalog"], ["did you mean 'catalogue'"]),
    ],
)
def test_what_is_mistyped_gets_the_nearest_name(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it, not what the parser happens to see first."""
    assert status(arguments) == Exit.BAD_INPUT
    told = capsys.readouterr().err
    for word in words:
        assert word in told


def test_json_may_stand_before_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """And ids in small letters are understood."""
    assert main(["--json", "catalogue", "db-5"]) == Exit.CONFORMS
    before = capsys.readouterr().out
    assert main(["catalogue", "DB-5", "--json"]) == Exit.CONFORMS
    assert capsys.readouterr().out == before != ""


def test_a_file_of_a_run_stands_for_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Who pastes the report's path means the run."""
    assert main(["judge", str(SAMPLE / "report.html")]) == main(["judge", str(SAMPLE)])
    assert "no such folder" not in capsys.readouterr().err


def test_the_lab_has_a_version_and_the_words_of_the_house() -> None:
    """As `seatrial` has them."""

    def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "seatrial_lab", *arguments]
        return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)

    assert lab("--version").stdout.startswith("seatrial-lab 0.")
    refused = lab("upp")
    assert refused.returncode == 3
    assert refused.stderr.startswith("seatrial-lab: ")
    assert "usage:" not in refused.stderr
