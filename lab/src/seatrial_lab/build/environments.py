"""The Python environments that pods run: the operators', Ansible's, and OpenStack's release by release.

All are made with the distribution's own Python: pods borrow the machine's /usr, and see no other.
"""

from __future__ import annotations

from pathlib import Path

from seatrial_lab import paths, releases
from seatrial_lab.build import store
from seatrial_lab.build.run import run
from seatrial_lab.releases import DEFAULT, Release

PYTHON = "/usr/bin/python3"
SOURCE_IN_PODS = "/opt/lab/src"


def openstack_lock(release: Release) -> Path:
    """Return the lock file of one OpenStack release."""
    return paths.shipped("openstack") / f"{release.name}.txt"


def pods_lock() -> Path:
    """Return the lock file of the operators' environment."""
    return paths.shipped("openstack") / "pods.txt"


def ansible_lock() -> Path:
    """Return the lock file of the environment that configures compute nodes."""
    return paths.shipped("openstack") / "ansible.txt"


def openstack(release: Release = DEFAULT) -> Path:
    """Return the environment of OpenStack's services."""
    return store.entry(f"openstack-{release.name}", store.key_of([openstack_lock(release), "1"]))


def pods() -> Path:
    """Return the environment of the operators."""
    return store.entry("pods", store.key_of([pods_lock(), SOURCE_IN_PODS, "1"]))


def ansible() -> Path:
    """Return the environment of Ansible."""
    return store.entry("ansible", store.key_of([ansible_lock(), "1"]))


def build_openstack(release: Release) -> bool:
    """Make OpenStack's environment unless it is there; it says in itself which release it is."""

    def make(into: Path) -> None:
        _environment(into, openstack_lock(release))
        (into / releases.NOTE.name).write_text(f"{release.name}\n")

    return store.build_once(openstack(release), make)


def build_ansible() -> bool:
    """Make Ansible's environment unless it is there."""
    return store.build_once(ansible(), lambda into: _environment(into, ansible_lock()))


def build_pods() -> bool:
    """Make the operators' environment unless it is there; the lab's own code is mounted beside it."""

    def make(into: Path) -> None:
        _environment(into, pods_lock())
        site = next((into / "lib").glob("python3*/site-packages"))
        (site / "seatrial_lab.pth").write_text(f"{SOURCE_IN_PODS}\n")

    return store.build_once(pods(), make)


def _environment(into: Path, lock: Path) -> None:
    # Programs start each other by name, at the place where the environment is mounted.
    run(["uv", "venv", "--quiet", "--allow-existing", "--relocatable", "--python", PYTHON, into])
    install = ["uv", "pip", "install", "--quiet", "--link-mode", "copy", "--require-hashes", "--no-deps"]
    run([*install, "--python", str(into / "bin/python"), "-r", str(lock)])
    # Without this every one of many processes would compile all its imports again at each start.
    run([PYTHON, "-m", "compileall", "-q", "-j2", into / "lib"])
