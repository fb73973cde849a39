"""The commands of README that need a deployment, on a real one, as they stand there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Lab
from tests.readme_commands import commands, given

HARMLESS = ("doctor", "discover", "plan")
LOOKS = [words for words in commands() if words[0] == "seatrial" and len(words) > 2 and words[1] in HARMLESS]


def program(*argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program as a person does."""
    return subprocess.run(argv, cwd=cwd, check=False, capture_output=True, text=True, timeout=900)


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_a_command_that_looks_ends_well(lab: Lab, tmp_path: Path, words: tuple[str, ...]) -> None:
    """Doctor, discover and plan."""
    argv = given(words, target=lab.target, run=tmp_path)
    done = program(sys.executable, "-m", *argv, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_readme_runs_next_ends_well_and_is_sealed(lab: Lab, tmp_path: Path) -> None:
    """A conformance run, judged again, told again, each time with a seal that the real sha256sum accepts."""
    [words] = [w for w in commands() if w[:3] == ("seatrial", "run", "conformance") and w[-1] == "prod.yaml"]
    done = program(sys.executable, "-m", *given(words, target=lab.target, run=tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    [folder] = (tmp_path / "reports").iterdir()
    for command in (None, "judge", "report"):
        if command is not None:
            again = program(sys.executable, "-m", "seatrial", command, str(folder), cwd=tmp_path)
            assert again.returncode == 0, again.stdout + again.stderr
        assert program("sha256sum", "--quiet", "-c", "MANIFEST", cwd=folder).returncode == 0
