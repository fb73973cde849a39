"""What is lost, deleted or said wrong at size `full`, and how the lab gets over it by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import openstack
import pytest
import yaml
from openstack.connection import Connection

from tests.conftest import Lab
from tests.lab.tenants import until

# The SDK warns of what it calls itself.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings._RemovedInSDKWarning")

CONTROL_PLANE, NODE_SET = ("openstackcontrolplane", "controlplane"), ("openstackdataplanenodeset", "openstack-edpm")
GONE = "ssh-key-that-is-not-there"


@pytest.fixture(scope="module")
def admin(full: Lab) -> Iterator[Connection]:
    """The administrator, as the lab's clouds.yaml says."""
    config = openstack.config.OpenStackConfig(config_files=[str(full.target.parent / "clouds.yaml")])
    with Connection(config=config.get_one("seatrial-lab")) as cloud:
        yield cloud


def _live(lab: Lab, what: tuple[str, str]) -> dict[str, Any] | None:
    """An object of the control plane's namespace, if it is there."""
    said = lab.kubectl("get", *what, "-n", "openstack", "--ignore-not-found", "-o", "json")
    return json.loads(said) if said else None


def _conditions(lab: Lab, what: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """What an object says of itself, if it is about its specification as it is now."""
    live = _live(lab, what) or {"metadata": {}}
    status = live.get("status") or {}
    if status.get("observedGeneration") != live["metadata"].get("generation"):
        return {}
    return {each["type"]: each for each in status.get("conditions") or ()}


def _is_ready(lab: Lab, what: tuple[str, str]) -> bool:
    return _conditions(lab, what).get("Ready", {}).get("status") == "True"


def _patch(lab: Lab, what: tuple[str, str], spec: dict[str, Any]) -> None:
    lab.kubectl("patch", *what, "-n", "openstack", "--type=merge", "-p", json.dumps({"spec": spec}))


def _pinged(lab: Lab, machine: str, address: str) -> bool:
    said = lab.command("shell", machine, "sh", "-c", f"ping -nq -c 2 -i 0.3 -W 1 {address} || true")
    return " 2 received" in said


def test_a_pulled_cable_parts_two_compute_nodes_until_it_is_plugged_in_again(full: Lab) -> None:
    """Of the tenant network alone: the node is reached on another network all the while."""
    tenant, internal = "172.19.0.101", "172.17.0.101"
    assert _pinged(full, "compute-0", tenant)
    try:
        full.command("cable", "compute-0", "tenant", "pull")
        assert not _pinged(full, "compute-0", tenant)
        assert _pinged(full, "compute-0", internal)
    finally:
        full.command("cable", "compute-0", "tenant", "plug")
    until("the tenant network is whole again", lambda: _pinged(full, "compute-0", tenant), within_s=20)


def test_a_compute_node_that_lost_its_power_comes_back(full: Lab, admin: Connection) -> None:
    """Its nova-compute and its agents report after the reset, and nobody helped."""
    full.command("node", "compute-1", "reset")
    since = datetime.now(UTC).replace(tzinfo=None)

    def reports() -> bool:
        computes = admin.compute.services(binary="nova-compute", host="compute-1")
        return any(s.state == "up" and datetime.fromisoformat(s.updated_at) > since for s in computes)

    def agents() -> dict[str, bool]:
        """Alive or not, of those that have reported since: Neutron asks them every 37 s, and only when it is asked."""
        found = admin.network.agents(host="compute-1")
        new = [a for a in found if datetime.fromisoformat(a.last_heartbeat_at).replace(tzinfo=None) > since]
        return {agent.binary: agent.is_alive for agent in new}

    until("nova-compute on compute-1 up", reports)
    until("its agents alive", lambda: (seen := agents()) and len(seen) == 2 and all(seen.values()))
    until("its tunnel's end answers", lambda: _pinged(full, "compute-0", "172.19.0.101"))


@pytest.mark.long
@pytest.mark.parametrize(
    "what", [("service", "neutron-internal"), ("statefulset", "nova-scheduler")], ids=lambda w: w[1]
)
def test_what_is_deleted_by_mistake_comes_back(full: Lab, what: tuple[str, str]) -> None:
    """The same object in all that was specified, with its address or its pods."""
    before = _live(full, what)
    assert before
    full.kubectl("delete", *what, "-n", "openstack")

    def back() -> bool:
        after = _live(full, what)
        return bool(after) and after["metadata"]["uid"] != before["metadata"]["uid"] and _works(after)

    until(f"{what[1]} is back", back)
    after = _live(full, what)
    assert after
    for part, same in (("metadata", "labels"), ("metadata", "ownerReferences"), ("spec", "selector")):
        assert after[part][same] == before[part][same]


def _works(live: dict[str, Any]) -> bool:
    """Whether a Service has its address, or a StatefulSet its pods."""
    if live["kind"] == "Service":
        return live["status"]["loadBalancer"] == {"ingress": [{"ip": "172.17.0.80", "ipMode": "VIP"}]}
    return bool(live["status"].get("readyReplicas") == live["spec"]["replicas"])


@pytest.mark.long
def test_a_section_that_is_disabled_goes_and_comes_back(full: Lab, admin: Connection) -> None:
    """With its resources and its conditions; nothing else is disturbed, and afterwards it answers."""
    own = {"OpenStackControlPlaneGlanceReady", "OpenStackControlPlaneExposeGlanceReady"}
    assert own <= set(_conditions(full, CONTROL_PLANE))
    try:
        _patch(full, CONTROL_PLANE, {"glance": {"enabled": False}})
        until("Glance is gone", lambda: _live(full, ("glance", "glance")) is None)
        until("its pods are gone", lambda: _live(full, ("pod", "glance-default-single-0")) is None)
        until("its conditions are dropped", lambda: (s := set(_conditions(full, CONTROL_PLANE))) and not own & s)
        assert _is_ready(full, CONTROL_PLANE)
    finally:
        _patch(full, CONTROL_PLANE, {"glance": {"enabled": True}})
        until("Glance is back", lambda: _is_ready(full, ("glance", "glance")), within_s=180)
    until("the control plane is ready", lambda: _is_ready(full, CONTROL_PLANE))
    assert own <= set(_conditions(full, CONTROL_PLANE))
    list(admin.image.images())


@pytest.mark.parametrize(
    ("section", "wrong", "says"),
    [
        ("neutron", {"replcas": 1}, 'unknown field "spec.neutron.template.replcas"'),
        ("neutron", {"replicas": -1}, "spec.neutron.template.replicas"),
        ("ovn", {"ovnDBCluster": {"ovndbcluster-nb": {"dbType": "EAST"}}}, "dbType"),
    ],
    ids=["unknown-field", "negative-replicas", "unknown-database"],
)
def test_an_impossible_control_plane_is_refused(full: Lab, section: str, wrong: dict[str, Any], says: str) -> None:
    """By the API server, with the name of what is wrong."""
    live = _live(full, CONTROL_PLANE)
    assert live
    template = live["spec"][section]["template"]
    asked = {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {"name": "controlplane", "namespace": "openstack"},
        "spec": {**live["spec"], section: {"enabled": True, "template": {**template, **wrong}}},
    }
    assert says in full.refusal("apply", "--dry-run=server", "-f", "-", text=yaml.safe_dump(asked))


def test_a_node_set_that_names_a_missing_secret_says_so(full: Lab) -> None:
    """And is ready again, with nothing deployed anew, when the right one is named."""
    live = _live(full, NODE_SET)
    assert live
    right = live["spec"]["nodeTemplate"]["ansibleSSHPrivateKeySecret"]
    try:
        _patch(full, NODE_SET, {"nodeTemplate": {"ansibleSSHPrivateKeySecret": GONE}})

        def says() -> bool:
            told = _conditions(full, NODE_SET).get("InputReady", {})
            return told.get("status") == "False" and GONE in told["message"]

        until("InputReady names the Secret", says)
        assert not _is_ready(full, NODE_SET)
    finally:
        _patch(full, NODE_SET, {"nodeTemplate": {"ansibleSSHPrivateKeySecret": right}})
    until("the NodeSet is ready again", lambda: _is_ready(full, NODE_SET))
