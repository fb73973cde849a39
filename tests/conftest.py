"""The lab that tests run on: booted once for all of them, taken down at the end; none for those that do not ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from seatrial_lab.build import binaries
from seatrial_lab.platform.apply import Kubectl

# How fast the machine is at the moment decides no test.
settings.register_profile("house", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

LAB = [sys.executable, "-m", "seatrial_lab"]


def seatrial_lab(*argv: str, timeout_s: float = 600.0) -> subprocess.CompletedProcess[str]:
    """Run a command of the lab, bounded in time."""
    return subprocess.run([*LAB, *argv], check=False, capture_output=True, text=True, timeout=timeout_s)


@dataclass(frozen=True)
class Lab:
    """A lab that is up."""

    target: Path

    def command(self, *argv: str) -> str:
        """Run a command of the lab that must succeed."""
        done = seatrial_lab(*argv)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kubectl(self, *argv: str, text: str | None = None) -> str:
        """Run kubectl as administrator."""
        done = self._kubectl(argv, text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refusal(self, *argv: str, text: str | None = None) -> str:
        """Run kubectl with something that must be refused; return with which words."""
        done = self._kubectl(argv, text)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def _kubectl(self, argv: tuple[str, ...], text: str | None) -> subprocess.CompletedProcess[str]:
        kubectl = Kubectl(binaries.folder() / "bin/kubectl", self.target.with_name("admin.kubeconfig"))
        return subprocess.run(
            [*kubectl.argv, *argv], check=False, capture_output=True, text=True, timeout=120, input=text
        )

    def may(self, user: str, verb: str, resource: str, namespace: str) -> bool:
        """Tell whether Kubernetes lets somebody do something."""
        attributes = {"verb": verb, "resource": resource, "namespace": namespace}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "metadata": {"name": ""},
            "spec": {"user": user, "resourceAttributes": attributes},
        }
        answer = json.loads(self.kubectl("create", "-o", "json", "-f", "-", text=json.dumps(review)))
        return bool(answer["status"]["allowed"])

    def get(self, *argv: str) -> dict[str, Any]:
        """Return objects as data."""
        got: dict[str, Any] = json.loads(self.kubectl("get", *argv, "-o", "json"))
        return got


@contextmanager
def _lab(size: str) -> Iterator[Lab]:
    """A lab of a size; with SEATRIAL_LAB_REUSE set, the one that is up already, and it stays up."""
    reuse = bool(os.environ.get("SEATRIAL_LAB_REUSE"))
    if not reuse:
        done = seatrial_lab("up", "--size", size)
        assert done.returncode == 0, done.stderr
    target = seatrial_lab("target", "--file")
    assert target.returncode == 0, target.stderr
    yield Lab(Path(target.stdout.strip()))
    if not reuse:
        done = seatrial_lab("down")
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A lab of size core, or whatever lab is reused."""
    with _lab("core") as up:
        yield up


@pytest.fixture(scope="session")
def full() -> Iterator[Lab]:
    """A lab of size full."""
    with _lab("full") as up:
        size = json.loads((up.target.parent / "lab.json").read_text())["size"]
        if size != "full":
            pytest.skip(f"the lab that is up is of size {size}")
        yield up


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whatever asks for a lab, so that nobody forgets to; those that boot labs of their own come first."""
    for item in items:
        asked = getattr(item, "fixturenames", ())
        if "full" in asked:
            item.add_marker(pytest.mark.full)
        if {"lab", "full", "alone"} & set(asked):
            item.add_marker(pytest.mark.lab)
    items.sort(key=lambda item: "alone" not in getattr(item, "fixturenames", ()))
