"""The nodes' devices: what a policy asks for is brought about, and told as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial_lab.platform.devices import CannotConfigure, Devices, changes
from seatrial_lab.platform.nmstate import dated, enactment_of, matches, verdict_on

POLICY: dict[str, Any] = {"metadata": {"name": "node-0", "generation": 2}, "spec": {"desiredState": {}}}
NODES = [f"node-{n}" for n in range(4)]
IN_A_NAMESPACE = """
import json, subprocess, sys
from seatrial_lab.platform import devices
from seatrial_lab.platform.devices import Devices
for command in ("link add storage type veth peer name other0", "link add internalapi type veth peer name other1"):
    subprocess.run(["ip", *command.split()], check=True)
for wanted in json.loads(sys.argv[1]):
    devices.configure(wanted)
    assert not devices.drifted(wanted), devices.changes(wanted, Devices.present())
    subprocess.run(["ip", "address", "flush", "dev", "internalapi"], check=True)
    subprocess.run(["ip", "address", "add", "172.17.0.99/24", "dev", "internalapi"], check=True)
    assert devices.drifted(wanted)
    devices.configure(wanted)
print("as wanted")
"""


def a_link(name: str, *, up: bool = True, addresses: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    listed = [{"family": "inet", "local": a.split("/")[0], "prefixlen": int(a.split("/")[1])} for a in addresses]
    return {"ifname": name, "flags": ["UP"] if up else [], "mtu": 1500, "addr_info": listed, **more}


def present(*links: dict[str, Any]) -> Devices:
    return Devices({link["ifname"]: link for link in links}, ())


def an_interface(**more: Any) -> dict[str, Any]:
    address = {"ip": "172.17.0.5", "prefix-length": 24}
    ipv4 = {"enabled": True, "dhcp": False, "address": [address]}
    return {"interfaces": [{"name": "internalapi", "type": "ethernet", "state": "up", "ipv4": ipv4, **more}]}


def test_what_is_as_wanted_is_left_alone() -> None:
    """Also what the policy does not speak of."""
    there = present(
        a_link("internalapi", addresses=("172.17.0.5/24",)), a_link("eth0", addresses=("192.168.122.10/24",))
    )
    assert changes(an_interface(mtu=1500), there) == []


def test_everything_that_differs_is_put_right() -> None:
    """State, mtu, and addresses that are missing or too many."""
    there = present(a_link("internalapi", up=False, addresses=("172.17.0.99/24",)))
    assert changes(an_interface(mtu=1400), there) == [
        ("link", "set", "internalapi", "mtu", "1400"),
        ("link", "set", "internalapi", "up"),
        ("address", "del", "172.17.0.99/24", "dev", "internalapi"),
        ("address", "add", "172.17.0.5/24", "dev", "internalapi"),
    ]


@pytest.mark.parametrize(
    ("interface", "says"),
    [
        ({"name": "nope", "type": "ethernet"}, "no device nope"),
        ({"name": "internalapi", "type": "linux-bridge"}, "is no linux-bridge"),
        ({"name": "v", "type": "vlan"}, "section vlan is missing"),
        ({"name": "br0", "type": "linux-bridge", "bridge": {"port": [{"name": "gone"}]}}, "no such device"),
    ],
)
def test_what_can_not_be_is_named(interface: dict[str, Any], says: str) -> None:
    """So that the enactment tells it."""
    with pytest.raises(CannotConfigure, match=says):
        changes({"interfaces": [interface]}, present(a_link("internalapi")))


@pytest.mark.skipif(os.geteuid() != 0, reason="makes devices in a network namespace of its own")
def test_real_devices_become_as_wanted_and_stay_so_against_drift() -> None:
    """Addresses, a bridge with a port and a route, in a namespace that ends with the process."""
    bridge = {
        "interfaces": [
            *an_interface(mtu=1400)["interfaces"],
            {
                "name": "br0",
                "type": "linux-bridge",
                "bridge": {"options": {"stp": {"enabled": False}}, "port": [{"name": "storage"}]},
            },
        ],
        "routes": {"config": [{"destination": "172.24.0.0/16", "next-hop-interface": "internalapi"}]},
    }
    steps = json.dumps([an_interface(), bridge])
    argv = ["unshare", "--net", sys.executable, "-c", IN_A_NAMESPACE, steps]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.stdout == "as wanted\n", done.stderr


@given(st.lists(st.sampled_from(["good", "bad", "old", "none"]), min_size=1, max_size=4))
def test_a_policy_is_available_only_when_all_its_nodes_are_so_now(states: list[str]) -> None:
    """One that failed makes it degraded; one not heard of since the policy changed leaves it progressing."""
    enactments = []
    for node, state in zip(NODES, states, strict=False):
        told = enactment_of(POLICY, "no device" if state == "bad" else None)
        status = {"policyGeneration": 1 if state == "old" else 2, "conditions": told}
        if state != "none":
            enactments.append({"metadata": {"name": f"{node}.node-0"}, "status": status})
    said = {c["type"]: c for c in verdict_on(POLICY, NODES[: len(states)], enactments)}
    true = [kind for kind, condition in said.items() if condition["status"] == "True"]
    if "bad" in states:
        assert true == ["Degraded"]
        assert said["Degraded"]["reason"] == "FailedToConfigure"
    elif set(states) == {"good"}:
        assert true == ["Available"]
        assert said["Available"]["reason"] == "SuccessfullyConfigured"
        assert said["Available"]["message"] == f"{len(states)}/{len(states)} nodes successfully configured"
    else:
        assert true == ["Progressing"]


def test_a_policy_for_no_node_says_so() -> None:
    """A misspelt selector is not mistaken for success."""
    said = {c["type"]: c["status"] for c in verdict_on(POLICY, [], [])}
    assert said == {"Available": "False", "Degraded": "False", "Progressing": "False", "Ignored": "True"}
    assert not matches(
        {"spec": {"nodeSelector": {"kubernetes.io/hostname": "nod-0"}}}, {"kubernetes.io/hostname": "node-0"}
    )
    assert matches({"spec": {}}, {})


def test_conditions_are_written_only_when_they_say_something_new() -> None:
    """And keep the time of what did not change."""
    first = dated(enactment_of(POLICY, None), [])
    assert first
    assert dated(enactment_of(POLICY, None), first) is None
    old = [{**c, "lastTransitionTime": "2026-01-01T00:00:00Z"} for c in first]
    told = dated(enactment_of(POLICY, "no device"), old)
    assert told
    kept = {c["type"] for c in told if c["lastTransitionTime"] == "2026-01-01T00:00:00Z"}
    assert kept == {"Progressing", "Pending", "Aborted"}
