"""The table of OpenStack's releases: each is complete, has its lock, and is what its environment's pods run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from seatrial_lab import releases
from seatrial_lab.build import environments
from seatrial_lab.operators.common import workloads
from seatrial_lab.operators.neutron import api as neutron
from seatrial_lab.releases import DEFAULT, RELEASES, Release

LOCKS = Path(__file__).parents[1] / "openstack"
KEYSTONE = {"2023.1": 23, "2026.2": 30}
ALL = [pytest.param(release, id=name) for name, release in RELEASES.items()]


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> Release:
    """The release of the parameter, as a container of its environment sees it."""
    release: Release = request.param
    note = tmp_path / "release"
    note.write_text(f"{release.name}\n")
    monkeypatch.setattr(releases, "NOTE", note)
    return release


@pytest.mark.parametrize("lock", sorted(LOCKS.glob("*.txt")), ids=lambda lock: lock.stem)
def test_locks_pin_every_package_with_its_hashes(lock: Path) -> None:
    """What is installed tomorrow is what was tried today."""
    packages = re.split(r"\n(?=[A-Za-z0-9])", lock.read_text())
    pinned = [package for package in packages if not package.startswith("#")]
    assert len(pinned) > 10
    assert all(re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+", package) for package in pinned)
    assert all("--hash=sha256:" in package for package in pinned)


@pytest.mark.parametrize("release", ALL)
def test_a_release_has_a_lock_of_its_name(release: Release) -> None:
    """And the lock holds that release, not another one's."""
    assert f"\nkeystone=={KEYSTONE[release.name]}." in environments.openstack_lock(release).read_text()


@pytest.mark.parametrize("release", ALL)
def test_a_release_serves_every_api_once(release: Release) -> None:
    """An API is served by uwsgi or serves itself."""
    assert not release.applications.keys() & release.servers.keys()
    apis = {*DEFAULT.applications, *DEFAULT.servers}
    assert {*release.applications, *release.servers} == apis


@pytest.mark.parametrize("inside", ALL, indirect=True)
def test_pods_run_the_release_that_their_environment_is(inside: Release) -> None:
    """Whatever release the lab was brought up with, its operators find out where they run."""
    assert releases.running() is inside
    for api, application in inside.applications.items():
        assert f"\nmodule = {application}\nprocname = {api}\n" in workloads.uwsgi_ini(80, api)


@pytest.mark.parametrize("inside", ALL, indirect=True)
def test_neutron_runs_what_its_release_has(inside: Release) -> None:
    """One server for all in older releases, an application and its companions in newer ones."""
    containers = neutron.containers()
    programs = {one["name"]: one["command"] for one in containers}
    assert list(programs) == ["neutron-api", *inside.beside_neutron]
    serves_itself = any(part.endswith("/neutron-server") for part in programs["neutron-api"])
    assert serves_itself is ("neutron-api" in inside.servers)
    assert containers[0]["readinessProbe"]["httpGet"]["port"] == neutron.PORT


def test_outside_of_a_container_the_default_is_meant() -> None:
    """As in these tests."""
    assert releases.running() is DEFAULT
