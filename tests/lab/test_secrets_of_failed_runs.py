"""Trials of a lab that ended badly: no secret of it in anything that they left or said."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests import leaks
from tests.conftest import Lab
from tests.trials import kill_when, seatrial

RUN = ("run", "resilience", "--requirement", "OPS-3")


@pytest.fixture(scope="module")
def secrets(lab: Lab) -> dict[str, str]:
    """Every secret of the lab, and the password of the cloud's administrator."""
    target = yaml.safe_load(lab.target.read_text())
    clouds = yaml.safe_load((lab.target.parent / target["cloud"]["clouds_yaml"]).read_text())
    found = {f"cloud {name}": str(cloud["auth"]["password"]) for name, cloud in clouds["clouds"].items()}
    return found | leaks.of_lab(lab)


def test_a_run_that_was_killed_and_undone(lab: Lab, secrets: dict[str, str], tmp_path: Path) -> None:
    """What it had written until then, and what undo adds and says."""
    argv = [*RUN, "--target", str(lab.target), "--out", str(tmp_path)]
    folder = kill_when(argv, tmp_path, "injected", "pause_process")
    done = seatrial("undo", str(folder), "--target", str(lab.target))
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout + done.stderr
    done = seatrial("report", str(folder))
    assert leaks.leaks([tmp_path], secrets, said + done.stdout + done.stderr) == []
    assert leaks.open_to_others(folder) == []


def test_a_run_that_the_cloud_does_not_let_in(lab: Lab, secrets: dict[str, str], tmp_path: Path) -> None:
    """The refusal quotes neither the wrong password nor a right one."""
    target = yaml.safe_load(lab.target.read_text())
    clouds = yaml.safe_load((lab.target.parent / target["cloud"]["clouds_yaml"]).read_text())
    for cloud in clouds["clouds"].values():
        cloud["auth"]["password"] = "Wrong-password-of-a-test-1"
    (tmp_path / "clouds.yaml").write_text(yaml.safe_dump(clouds))
    target["cloud"]["clouds_yaml"] = str(tmp_path / "clouds.yaml")
    target["kubernetes"]["kubeconfig"] = str(lab.target.parent / target["kubernetes"]["kubeconfig"])
    (tmp_path / "target.yaml").write_text(yaml.safe_dump(target))
    done = seatrial(*RUN, "--target", str(tmp_path / "target.yaml"), "--out", str(tmp_path / "reports"))
    assert done.returncode not in (0, 1), done.stdout
    wanted = secrets | {"the wrong one": "Wrong-password-of-a-test-1"}
    assert leaks.leaks([tmp_path / "reports"], wanted, done.stdout + done.stderr) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that is full soon after a run has begun."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_run_whose_disk_is_full(lab: Lab, secrets: dict[str, str], small_disk: Path) -> None:
    """Whatever it could still write, and what it says of it."""
    done = seatrial(*RUN, "--target", str(lab.target), "--out", str(small_disk))
    assert done.returncode != 0, done.stdout
    assert leaks.leaks([small_disk], secrets, done.stdout + done.stderr) == []
    for folder in small_disk.iterdir():
        assert leaks.open_to_others(folder) == []
