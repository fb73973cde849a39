"""Whoever cannot see says so: never *conforms* without evidence, and no traceback whatever is wrong with the target."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import Lab
from tests.trials import seatrial, try_out

BLIND = "seatrial-blind"
NEED_EXEC = ("API-1", "API-3", "DB-4", "SCALE-1")
"""Requirements whose evidence lies inside pods."""


@pytest.fixture
def only_viewer(lab: Lab, tmp_path: Path) -> Iterator[Path]:
    """A target whose account may look at objects, and do nothing else."""
    lab.kubectl("create", "serviceaccount", BLIND, "-n", "default")
    lab.kubectl("create", "clusterrolebinding", BLIND, "--clusterrole=view", f"--serviceaccount=default:{BLIND}")
    token = lab.kubectl("create", "token", BLIND, "-n", "default").strip()
    config = yaml.safe_load((lab.target.parent / "admin.kubeconfig").read_text())
    config["users"] = [{"name": BLIND, "user": {"token": token}}]
    config["contexts"][0]["context"]["user"] = BLIND
    target = changed(lab, tmp_path, kubernetes={"kubeconfig": written(tmp_path / "blind.kubeconfig", config)})
    target.write_text(target.read_text().replace("grant: disrupt", "grant: observe"))
    yield target
    lab.kubectl("delete", "clusterrolebinding", BLIND)
    lab.kubectl("delete", "serviceaccount", BLIND, "-n", "default")


def written(file: Path, document: object) -> str:
    """Write a document and return where it is."""
    file.write_text(yaml.safe_dump(document))
    return str(file)


def changed(lab: Lab, into: Path, **sections: dict[str, object]) -> Path:
    """Return a target like the lab's, with some entries changed."""
    document = yaml.safe_load(lab.target.read_text())
    for name, entries in sections.items():
        document[name] = {**document[name], **entries}
    return Path(written(into / "target.yaml", document))


def cloud(lab: Lab, into: Path, **auth: str) -> Path:
    """Return a target like the lab's, with another way to log in."""
    clouds = yaml.safe_load((lab.target.parent / "clouds.yaml").read_text())
    clouds["clouds"]["seatrial-lab"]["auth"].update(auth)
    return changed(lab, into, cloud={"clouds_yaml": written(into / "clouds.yaml", clouds)})


def test_without_permission_nothing_conforms_that_needs_it(only_viewer: Path, tmp_path: Path) -> None:
    """An account that may not look into pods gets *inconclusive*, or is turned away as one that cannot see."""
    trial = try_out("conformance", only_viewer, tmp_path / "out")
    assert trial.status == 2, trial.said
    assert "Traceback" not in trial.said
    if trial.folder is not None:
        assert {trial.outcomes[requirement] for requirement in NEED_EXEC if requirement in trial.outcomes} <= {
            "inconclusive"
        }


def test_without_permission_nothing_is_changed(only_viewer: Path, tmp_path: Path) -> None:
    """An account that may not say that a trial is on, nor take back what it would do, is turned away by name."""
    only_viewer.write_text(only_viewer.read_text().replace("grant: observe", "grant: disrupt"))
    trial = try_out("conformance", only_viewer, tmp_path / "out")
    assert trial.status == 3, trial.said
    assert "permitted" in trial.said or "forbids" in trial.said
    assert "Traceback" not in trial.said


def test_a_black_hole_is_no_answer(lab: Lab, tmp_path: Path) -> None:
    """Packets to Keystone vanish in the lab's own network: inconclusive, status 2, and no traceback."""
    rule = "add table ip hole\nadd chain ip hole c { type filter hook prerouting priority -300; }\n"
    rule += "add rule ip hole c tcp dport 5999 drop\n"
    space = ["nsenter", "--net=/run/netns/seatrial-node-0"]
    subprocess.run([*space, "nft", "-f", "-"], input=rule, text=True, check=True)
    try:
        target = cloud(lab, tmp_path, auth_url="http://192.168.122.10:5999/v3")
        trial = try_out("conformance", target, tmp_path / "out", ("API-3",))
    finally:
        subprocess.run([*space, "nft", "delete", "table", "ip", "hole"], check=True)
    assert trial.status == 2, trial.said
    assert "Traceback" not in trial.said


@pytest.mark.parametrize(
    ("what", "status", "says"),
    [
        ("wrong password", 3, "credentials"),
        ("no such namespace", 3, "nowhere"),
        ("not an OpenStack", 3, "default"),
    ],
)
def test_a_wrong_target_gets_one_clear_message(lab: Lab, tmp_path: Path, what: str, status: int, says: str) -> None:
    """What is wrong is said, nothing is touched, no traceback is shown."""
    targets = {
        "wrong password": lambda: cloud(lab, tmp_path, password="not-the-password"),
        "no such namespace": lambda: changed(lab, tmp_path, namespaces={"control_plane": "nowhere"}),
        "not an OpenStack": lambda: changed(lab, tmp_path, namespaces={"control_plane": "default"}),
    }
    done = seatrial("run", "conformance", "--target", str(targets[what]()), "--out", str(tmp_path / "out"))
    said = done.stdout + done.stderr
    assert done.returncode == status, said
    assert says in said
    assert "Traceback" not in said
    assert "not-the-password" not in said
