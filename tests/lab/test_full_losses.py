"""What is lost or deleted at size `full`, and how the lab gets over it by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from keystoneauth1.exceptions import ClientException
from openstack.connection import Connection
from openstack.exceptions import SDKException

from seatrial_lab.operators.common.conditions import condition_of, pod_is_ready
from tests.conftest import Lab
from tests.lab.objects import CONTROL_PLANE, Which, conditions, find, is_ready, patch, read
from tests.lab.tenants import until

# The SDK warns of what it calls itself.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings._RemovedInSDKWarning")


def _pinged(lab: Lab, machine: str, address: str) -> bool:
    said = lab.command("shell", machine, "sh", "-c", f"ping -nq -c 2 -i 0.3 -W 1 {address} || true")
    return " 2 received" in said


def _reports(admin: Connection, host: str, since: datetime) -> bool:
    """Whether nova-compute on a node has reported after that moment."""
    computes = admin.compute.services(binary="nova-compute", host=host)
    return any(s.state == "up" and datetime.fromisoformat(s.updated_at) > since for s in computes)


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

    def agents() -> dict[str, bool]:
        """Alive or not, of those that have reported since: Neutron asks them every 37 s, and only when it is asked."""
        found = admin.network.agents(host="compute-1")
        new = [a for a in found if datetime.fromisoformat(a.last_heartbeat_at).replace(tzinfo=None) > since]
        return {agent.binary: agent.is_alive for agent in new}

    until("nova-compute on compute-1 up", lambda: _reports(admin, "compute-1", since))
    until("its agents alive", lambda: (seen := agents()) and len(seen) == 2 and all(seen.values()))
    until("its tunnel's end answers", lambda: _pinged(full, "compute-0", "172.19.0.101"))


def test_a_daemon_of_a_compute_node_that_ends_is_started_again(full: Lab, admin: Connection) -> None:
    """Each of them, all at once and without warning; the node reports as before."""
    listed = 'cd /etc/service && for one in *; do echo "$one $(cat "$one/supervise/pid")"; done'

    def daemons() -> dict[str, str]:
        """The process of each."""
        lines = full.command("shell", "compute-0", "sh", "-c", listed).splitlines()
        return dict(line.split() for line in lines if " " in line.strip())

    before = daemons()
    assert {"edpm_nova_compute", "edpm_ovn_controller", "edpm_ovn_metadata_agent", "ovs-vswitchd"} <= set(before)
    full.command("shell", "compute-0", "sh", "-c", f"kill -9 {' '.join(before.values())}")
    since = datetime.now(UTC).replace(tzinfo=None)
    until("each has a new process", lambda: all(daemons().get(name, pid) != pid for name, pid in before.items()))
    until("compute-0 reports", lambda: _reports(admin, "compute-0", since))
    until("its tunnel's end answers", lambda: _pinged(full, "compute-1", "172.19.0.100"))


@pytest.mark.parametrize("side", ["nb", "sb"])
def test_a_member_of_ovns_databases_that_lost_its_volume_is_replaced(full: Lab, side: str) -> None:
    """The leader: another one takes over, the new member has all data, and nobody remembers the old one."""
    before = _raft(full, side)
    [lost] = [name for name, said in before.items() if said["Role"] == "leader"]
    claim = f"ovndbcluster-{side}-etc-ovn-{lost}"
    volume = read(full, ("pvc", claim))["metadata"]["uid"]
    full.kubectl("delete", "pvc", claim, "-n", "openstack", "--wait=false")
    full.kubectl("delete", "pod", lost, "-n", "openstack", "--force", "--grace-period=0")

    def whole() -> bool:
        new = (find(full, ("pvc", claim)) or {"metadata": {"uid": volume}})["metadata"]["uid"] != volume
        return new and _is_whole(_raft(full, side))

    until("three members, the new one among them, and no stale one", whole)
    after = _raft(full, side)
    assert after[lost]["Server ID"] != before[lost]["Server ID"]
    assert {said["Cluster ID"] for said in after.values()} == {before[lost]["Cluster ID"]}


def _raft(lab: Lab, side: str) -> dict[str, dict[str, str]]:
    """What each ready member says of its cluster: the lines of `cluster/status`, and how many servers it knows."""
    name = {"nb": "OVN_Northbound", "sb": "OVN_Southbound"}[side]
    pods = lab.get("pod", "-n", "openstack", "-l", f"service=ovsdbserver-{side}")["items"]
    # A member that has just begun may not answer yet: then it says nothing, and that is not a whole cluster.
    ask = f"ovs-appctl -t /etc/ovn/ovn{side}_db.ctl cluster/status {name} || true"
    said = {}
    for pod in sorted(pod["metadata"]["name"] for pod in pods if pod_is_ready(pod)):
        lines = lab.kubectl("exec", "-n", "openstack", pod, "--", "sh", "-c", ask).splitlines()
        told = dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith(" "))
        said[pod] = {**told, "known": str(sum(" at tcp:" in line for line in lines))}
    return said


def _is_whole(raft: dict[str, dict[str, str]]) -> bool:
    """Whether three members agree on each other, and one of them leads."""
    whole = [said for said in raft.values() if said.get("Status") == "cluster member" and said["known"] == "3"]
    return len(whole) == 3 and [said["Role"] for said in whole].count("leader") == 1


@pytest.mark.long
def test_a_compute_node_that_is_switched_off_is_missed_and_comes_back_when_it_is_on(
    full: Lab, admin: Connection
) -> None:
    """Nova tells that it is down; a reboot is over before anybody notices."""

    def state() -> str:
        [found] = admin.compute.services(binary="nova-compute", host="compute-0")
        return str(found.state)

    try:
        full.command("node", "compute-0", "off")
        until("Nova says that it is down", lambda: state() == "down", within_s=180)
    finally:
        full.command("node", "compute-0", "on")
    until("Nova says that it is up", lambda: state() == "up", within_s=180)
    full.command("node", "compute-0", "reboot")
    since = datetime.now(UTC).replace(tzinfo=None)
    until("it reports after the reboot", lambda: _reports(admin, "compute-0", since), within_s=180)


@pytest.mark.long
def test_a_node_of_the_cluster_that_is_cut_off_can_be_done_without(full: Lab, admin: Connection) -> None:
    """Its neighbours take over what it served; plugged in again it joins everything that it was part of."""
    node, cable = "node-2", ("cable", "node-2", "ctlplane")

    def node_is_ready() -> bool:
        return (condition_of(full.get("node", node)) or {}).get("status") == "True"

    def answers() -> bool:
        """Whether somebody new gets a token and an answer of Nova with it."""
        admin.session.invalidate()
        try:
            return bool(list(admin.compute.services()))
        except (SDKException, ClientException):
            return False

    try:
        full.command(*cable, "pull")
        until("Kubernetes misses it", lambda: not node_is_ready())
        until("the cloud answers", answers)
    finally:
        full.command(*cable, "plug")
    until("the node is ready", node_is_ready)
    until("the control plane is ready", lambda: is_ready(full, CONTROL_PLANE), within_s=300)
    until("three members on both sides", lambda: all(_is_whole(_raft(full, side)) for side in ("nb", "sb")))
    until("all of Nova is up", lambda: {s.state for s in admin.compute.services()} == {"up"}, within_s=180)


@pytest.mark.long
@pytest.mark.parametrize(
    "what", [("service", "neutron-internal"), ("statefulset", "nova-scheduler")], ids=lambda w: w[1]
)
def test_what_is_deleted_by_mistake_comes_back(full: Lab, what: Which) -> None:
    """The same object in all that was specified, with its address or its pods."""
    before = read(full, what)
    full.kubectl("delete", *what, "-n", "openstack")

    def back() -> bool:
        after = find(full, what)
        return bool(after) and after["metadata"]["uid"] != before["metadata"]["uid"] and _works(after)

    until(f"{what[1]} is back", back)
    after = read(full, what)
    for part, same in (("metadata", "labels"), ("metadata", "ownerReferences"), ("spec", "selector")):
        assert after[part][same] == before[part][same]


def _works(live: dict[str, Any]) -> bool:
    """Whether a Service has its address, or a StatefulSet its pods."""
    if live["kind"] == "Service":
        return live["status"]["loadBalancer"] == {"ingress": [{"ip": "172.17.0.80", "ipMode": "VIP"}]}
    return bool(live["status"].get("readyReplicas") == live["spec"]["replicas"])


@pytest.mark.long
def test_a_section_that_is_disabled_goes_and_comes_back(full: Lab, admin: Connection) -> None:
    """With its resources and its conditions; nothing else is disturbed, and afterwards it has its images still."""
    content = b"kept"
    image = admin.image.create_image(name="kept", data=content, disk_format="raw", container_format="bare")
    own = {"OpenStackControlPlaneGlanceReady", "OpenStackControlPlaneExposeGlanceReady"}
    assert own <= set(conditions(full, CONTROL_PLANE))
    try:
        patch(full, CONTROL_PLANE, {"glance": {"enabled": False}})
        until("Glance is gone", lambda: find(full, ("glance", "glance")) is None)
        until("its pods are gone", lambda: find(full, ("pod", "glance-default-single-0")) is None)
        until("its conditions are dropped", lambda: (s := set(conditions(full, CONTROL_PLANE))) and not own & s)
        assert is_ready(full, CONTROL_PLANE)
    finally:
        patch(full, CONTROL_PLANE, {"glance": {"enabled": True}})
        until("Glance is back", lambda: is_ready(full, ("glance", "glance")), within_s=180)
    until("the control plane is ready", lambda: is_ready(full, CONTROL_PLANE))
    assert own <= set(conditions(full, CONTROL_PLANE))
    assert admin.image.download_image(image.id).content == content
    admin.image.delete_image(image.id)
