"""OVN's databases and gateways: what is read from their programs, and what is made of it."""

from __future__ import annotations

import shlex
from dataclasses import replace

from seatrial_lab.operators.common.workloads import Runs
from seatrial_lab.operators.ovn.controller import external_ids
from seatrial_lab.operators.ovn.database import DATABASES, services_of
from seatrial_lab.operators.ovn.raft import Member, Raft, member_of, repair_of

STATUS = """\
613d
Name: OVN_Southbound
Cluster ID: 3f73 (3f73d666-6581-4519-922d-576df8938192)
Server ID: 613d (613d0ef7-7bbb-466d-a8c6-d01b22d6790a)
Address: tcp:ovsdbserver-sb-0.ovsdbserver-sb.openstack.svc.cluster.local:6644
Status: cluster member
Role: leader
Term: 2
Leader: self
Vote: self

Last Election started 1672 ms ago, reason: timeout
Election timer: 2000
Log: [2, 6]
Connections: <-1de0 (->1de0)
Servers:
    613d (613d at tcp:ovsdbserver-sb-0.ovsdbserver-sb.openstack.svc.cluster.local:6644) (self) next_index=3
    1de0 (1de0 at tcp:ovsdbserver-sb-1.ovsdbserver-sb.openstack.svc.cluster.local:6644) next_index=6 last msg 54 ms ago
"""
LEADER = Member("c1", "aaaa", leads=True, timer_ms=5000, servers={"aaaa": "tcp:db-0:1", "bbbb": "tcp:db-1:1"})
FOLLOWER = replace(LEADER, server="bbbb", leads=False)
RAFT = Raft("DB", "ctl", "container", {}, ["tcp:db-0:1", "tcp:db-1:1"], timer_ms=5000)


def test_a_member_is_read_from_what_its_server_says() -> None:
    """Identifier, role, timer, and the address of every server."""
    member = member_of(STATUS)
    assert (member.server, member.leads, member.timer_ms) == ("613d", True, 2000)
    domain = "ovsdbserver-sb.openstack.svc.cluster.local:6644"
    assert member.servers == {n: f"tcp:ovsdbserver-sb-{i}.{domain}" for i, n in enumerate(("613d", "1de0"))}


def test_a_whole_raft_is_left_alone() -> None:
    """No order and no complaint."""
    assert not repair_of(RAFT, {"db-0": LEADER, "db-1": FOLLOWER}).needed


def test_a_server_without_a_pod_is_removed() -> None:
    """One whose pod is not asked for any more, and a former self of one that is there."""
    servers = {**LEADER.servers, "cccc": "tcp:db-2:1", "dddd": "tcp:db-1:1"}
    repair = repair_of(RAFT, {"db-0": replace(LEADER, servers=servers), "db-1": FOLLOWER})
    assert repair.orders == (("cluster/kick", "cccc"), ("cluster/kick", "dddd"))


def test_a_member_that_is_down_is_no_stranger() -> None:
    """It comes back; the cluster would lose a member for nothing."""
    assert not repair_of(RAFT, {"db-0": LEADER}).needed


def test_the_election_timer_is_doubled_at_most() -> None:
    """More is refused by the server."""
    wanted = replace(RAFT, timer_ms=16000)
    assert repair_of(wanted, {"db-0": LEADER}).orders == (("cluster/change-election-timer", "10000"),)


def test_two_clusters_are_a_matter_for_people() -> None:
    """Which of the two has the right data is not for an operator to say."""
    other = replace(LEADER, cluster="c2")
    assert "different clusters" in repair_of(RAFT, {"db-0": LEADER, "db-1": other}).complaint


def test_each_server_has_a_service_of_its_own() -> None:
    """Headless for the raft alone; one with an address for every pod, by which its clients know it."""
    runs = Runs("account", {"service": "ovsdbserver-sb"}, uid=0)
    headless, first, second = services_of(DATABASES["SB"], runs, 2)
    assert headless["spec"]["clusterIP"] == "None"
    assert [port["port"] for port in headless["spec"]["ports"]] == [6644]
    assert first["metadata"]["labels"]["type"] == "cluster"
    assert second["spec"]["selector"]["statefulset.kubernetes.io/pod-name"] == "ovsdbserver-sb-1"
    assert [port["port"] for port in second["spec"]["ports"]] == [6642, 6644]


def test_what_open_vswitch_is_told_survives_the_shell() -> None:
    """Each argument arrives with its value in quotes, which is how ovs-vsctl takes commas and colons."""
    arguments = shlex.split(external_ids({}, "tcp:a:6642,tcp:b:6642", ["datacentre"]))
    assert 'external_ids:ovn-remote="tcp:a:6642,tcp:b:6642"' in arguments
    assert 'external_ids:ovn-bridge-mappings="datacentre:br-datacentre"' in arguments
    assert 'external_ids:ovn-cms-options="enable-chassis-as-gw"' in arguments
