"""Every command of README and docs works: those that need no lab are run, the others are understood and exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from seatrial.entry import cli
from seatrial.entry.exit_status import Exit
from seatrial.entry.target import load_target
from seatrial_lab.cli import parser as lab_parser
from seatrial_lab.violations import ALL as DEVIATIONS
from tests.readme_commands import ROOT, commands, given
from tests.standin import Standin, serving

BARE = {("seatrial", "undo"), ("seatrial", "judge"), ("seatrial", "rbac"), ("chaos", "run")}
"""Named in a sentence, without what they need."""
ALL = [words for words in commands() if words not in BARE]
RUNS = ("plan", "doctor", "discover", "run")


@pytest.fixture(scope="module")
def standin() -> Iterator[Standin]:
    """A deployment in miniature."""
    with serving() as server:
        yield server


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A stored run."""
    return Path(shutil.copytree(ROOT / "reports/sample", tmp_path / "sample"))


def of(program: str) -> list[tuple[str, ...]]:
    """Return the commands of one program; of those that only name the target in other words, one."""
    found = {tuple(given(words, target=Path("t"), run=Path("r"))): words for words in ALL if words[0] == program}
    return list(found.values())


def test_all_programs_are_known_here() -> None:
    """A command of another program would not be tried by anything below."""
    known = {
        "make",
        "seatrial",
        "seatrial-lab",
        "pytest",
        "chaos",
        "locust",
        "sha256sum",
        "lint-imports",
        "scripts/trial",
    }
    assert {words[0] for words in ALL} <= known
    assert len(ALL) > 25


@pytest.mark.parametrize("words", of("make") + of("scripts/trial"), ids=" ".join)
def test_make_and_scripts_exist(words: tuple[str, ...]) -> None:
    """Each goal is one of the Makefile, and the script that it starts can be started."""
    if words[0] != "make":
        assert os.access(ROOT / words[0], os.X_OK)
        return
    goals = dict(re.findall(r"^([a-z-]+):.*\n\t@?(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    goal = next(word for word in words[1:] if "=" not in word)
    assert goal in goals
    if goals[goal].startswith("scripts/"):
        assert os.access(ROOT / goals[goal], os.X_OK)


@pytest.mark.parametrize("words", of("seatrial"), ids=" ".join)
def test_a_command_is_understood(words: tuple[str, ...], standin: Standin, tmp_path: Path, run: Path) -> None:
    """Its name, its options and what they take."""
    target = standin.target(tmp_path / "target")
    cli._read(given(words, target=target, run=run)[1:])


@pytest.mark.parametrize("words", [w for w in of("seatrial") if w[1] not in RUNS], ids=" ".join)
def test_a_command_on_a_stored_run_or_none_ends_well(
    words: tuple[str, ...], standin: Standin, tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is run as it stands there."""
    target = standin.target(tmp_path / "target")
    assert cli.main(given(words, target=target, run=run)[1:]) == Exit.CONFORMS
    assert capsys.readouterr().out


@pytest.mark.parametrize("words", [w for w in of("seatrial") if w[1] in ("doctor", "discover")], ids=" ".join)
def test_a_command_that_looks_at_a_deployment_ends_well(
    words: tuple[str, ...], standin: Standin, tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On one in miniature; nothing is changed in it."""
    target = standin.target(tmp_path / "target")
    before = list(standin.changed)
    assert cli.main(given(words, target=target, run=run)[1:]) == Exit.CONFORMS, capsys.readouterr()
    assert standin.changed == before


def test_the_plan_of_readme_is_told(standin: Standin, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the grant of README's target: what would run, and what is left out and why."""
    [words] = [w for w in of("seatrial") if w[1] == "plan" and "acceptance" in w]
    target = standin.target(tmp_path / "target")
    assert cli.main(given(words, target=target, run=tmp_path)[1:]) == Exit.CONFORMS
    told = capsys.readouterr().out
    assert "observe  API-3" in told
    assert "left out DB-5" in told


def test_the_target_of_readme_is_accepted(standin: Standin, tmp_path: Path) -> None:
    """As it stands there, with the two files that it names beside it."""
    standin.target(tmp_path)
    text = (ROOT / "README.md").read_text()
    [written] = re.findall(r"^```yaml\n(name: .*?)^```", text, re.DOTALL | re.MULTILINE)
    named = yaml.safe_load(written)
    kubeconfig = (tmp_path / "kubeconfig").read_text().replace("name: c\n", f"name: {named['kubernetes']['context']}\n")
    (tmp_path / "kubeconfig").write_text(kubeconfig.replace("current-context: c\n", "current-context: admin\n"))
    clouds = (tmp_path / "clouds.yaml").read_text().replace("standin:", f"{named['cloud']['name']}:")
    (tmp_path / "clouds.yaml").write_text(clouds)
    (tmp_path / "prod.yaml").write_text(written)
    assert load_target(tmp_path / "prod.yaml").grant.value == "observe"


@pytest.mark.parametrize("words", of("seatrial-lab"), ids=" ".join)
def test_a_command_of_the_lab_is_understood(words: tuple[str, ...]) -> None:
    """Its options, and the names of deviations."""
    asked = lab_parser().parse_args(words[1:])
    if asked.verb in ("break", "mend") and asked.name is not None:
        assert asked.name in DEVIATIONS


@pytest.mark.parametrize("words", of("pytest"), ids=" ".join)
def test_pytest_collects_what_it_says(words: tuple[str, ...], standin: Standin, tmp_path: Path) -> None:
    """Every scenario once (that it runs as well is tried with whole programs)."""
    argv = given(words, target=standin.target(tmp_path), run=tmp_path)[1:]
    done = ended("-m", "pytest", *argv, "--collect-only", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    collected = [line for line in done.stdout.splitlines() if "::" in line]
    assert len(collected) == len(set(collected)) > 12


@pytest.mark.parametrize("experiment", sorted((ROOT / "chaos").glob("*.yaml")), ids=lambda path: path.name)
def test_chaostoolkit_accepts_every_experiment(experiment: Path, standin: Standin, tmp_path: Path) -> None:
    """Those that README names among them."""
    named = {given(words, target=tmp_path, run=tmp_path)[2] for words in of("chaos")}
    assert all((ROOT / name).is_file() for name in named)
    done = ended("-m", "chaostoolkit", "--no-version-check", "validate", str(experiment), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("words", of("locust"), ids=" ".join)
def test_locust_finds_users_in_the_file(words: tuple[str, ...], standin: Standin, tmp_path: Path) -> None:
    """That they work is tried with a Keystone of its own."""
    clouds = {"OS_CLIENT_CONFIG_FILE": str(standin.target(tmp_path).with_name("clouds.yaml")), "OS_CLOUD": "standin"}
    done = ended("-m", "locust", *words[1:], "--list", more=clouds)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "User" in done.stdout + done.stderr


@pytest.mark.parametrize("words", of("sha256sum"), ids=" ".join)
def test_the_seal_of_the_sample_holds(words: tuple[str, ...], run: Path) -> None:
    """With the program that everybody has."""
    assert subprocess.run(words, cwd=run, check=False, capture_output=True).returncode == 0


def ended(*argv: str, cwd: Path = ROOT, more: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a Python program to its end."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")} | dict(more or {})
    return subprocess.run(
        [sys.executable, *argv], cwd=cwd, env=kept, check=False, capture_output=True, text=True, timeout=300
    )
