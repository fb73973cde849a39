"""Secondary networks: what a pod may ask for, and which addresses it may be given."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial_lab.platform.apply import render
from seatrial_lab.platform.attachments import Attachment, Refused, host_local, plugins_of, requested
from seatrial_lab.platform.boot import MANIFESTS
from seatrial_lab.topology import TOPOLOGY

NET = IPv4Network("172.17.0.0/24")
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True)


def given_by(ipam: dict[str, Any]) -> set[IPv4Address]:
    """Every address that host-local may give, and that no piece gives twice."""
    pieces = [piece for pieces in host_local(ipam, "/leases")["ranges"] for piece in pieces]
    numbers: list[int] = []
    for piece in pieces:
        numbers += range(int(IPv4Address(piece["rangeStart"])), int(IPv4Address(piece["rangeEnd"])) + 1)
    assert len(numbers) == len(set(numbers))
    return {IPv4Address(number) for number in numbers}


@given(
    ends=st.tuples(st.integers(0, 255), st.integers(0, 255)).map(sorted),
    blocks=st.lists(st.tuples(st.integers(0, 255), st.integers(24, 32)), max_size=4),
)
def test_exactly_the_range_without_the_excluded_is_given(ends: list[int], blocks: list[tuple[int, int]]) -> None:
    """Whereabouts' rule: range_start to range_end, without network, broadcast and excluded addresses."""
    exclude = [f"{NET[number]}/{length}" for number, length in blocks]
    gone = {address for text in exclude for address in IPv4Network(text, strict=False)}
    wanted = {NET[n] for n in range(ends[0], ends[1] + 1)} - gone - {NET[0], NET[255]}
    ipam = {
        "type": "whereabouts",
        "range": str(NET),
        "range_start": str(NET[ends[0]]),
        "range_end": str(NET[ends[1]]),
        "exclude": exclude,
    }
    if wanted:
        assert given_by(ipam) == wanted
    else:
        with pytest.raises(Refused, match="nothing is left"):
            host_local(ipam, "/leases")


def test_a_range_may_be_written_in_whereabouts_other_forms() -> None:
    """The whole network, first-last/length, and several ranges with one address from each."""
    assert len(given_by({"range": "172.17.0.0/24"})) == 254
    assert given_by({"range": "172.17.0.9-172.17.0.11/24"}) == {NET[9], NET[10], NET[11]}
    two = host_local({"ipRanges": [{"range": "172.17.0.0/24"}, {"range": "172.18.0.0/24"}]}, "/leases")
    assert [pieces[0]["subnet"] for pieces in two["ranges"]] == ["172.17.0.0/24", "172.18.0.0/24"]


@given(asked=st.lists(st.tuples(NAMES, NAMES, NAMES), min_size=1, max_size=5, unique_by=lambda one: one[2]))
def test_both_forms_of_the_annotation_mean_the_same(asked: list[tuple[str, str, str]]) -> None:
    """Names separated by commas, and a JSON list."""
    asked = [(space, name, f"i-{device}"[:15]) for space, name, device in asked]
    short = ", ".join(f"{space}/{name}@{device}" for space, name, device in asked)
    long = json.dumps([{"namespace": space, "name": name, "interface": device} for space, name, device in asked])
    assert requested(short, "openstack") == requested(long, "openstack")


def test_what_is_not_said_is_filled_in() -> None:
    """The pod's own namespace, and interfaces net1, net2 by position."""
    assert requested("internalapi,other/storage", "openstack") == [
        Attachment("openstack", "internalapi", "net1"),
        Attachment("other", "storage", "net2"),
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[{", "JSON"),
        ("a b", "a b"),
        ("a,,b", "form"),
        ('[{"interface": "net1"}]', "name"),
        ('[{"name": "a", "bandwidth": {}}]', "bandwidth"),
        ('[{"name": "a", "interface": "eth0"}]', "eth0"),
        ('[{"name": "a", "interface": "far-too-long-a-name"}]', "far-too-long"),
        ("a@x,b@x", "more than once: x"),
    ],
)
def test_a_malformed_request_is_refused_by_name(text: str, names: str) -> None:
    """The pod's event says what is wrong with its annotation."""
    with pytest.raises(Refused, match=names):
        requested(text, "openstack")


@pytest.mark.parametrize(
    "config",
    ["", "[]", "{}", '{"type": 5}', '{"plugins": [5]}', '{"type": "macvlan", "ipam": {"type": "whereabouts"}}'],
)
def test_a_malformed_definition_is_refused_by_name(config: str) -> None:
    """So that a pod's event names the definition that is to be corrected."""
    with pytest.raises(Refused, match="openstack/internalapi"):
        plugins_of({"spec": {"config": config}}, Attachment("openstack", "internalapi", "net1"), "/leases")


def test_the_lab_s_own_definitions_give_addresses_of_their_network_only() -> None:
    """Each is on the device of its network, and gives Multus' range."""
    plan = TOPOLOGY
    documents = render(
        MANIFESTS / "31-attachments.yaml", nodes=plan.nodes, isolated=plan.isolated, networks=plan.networks
    )
    found = {d["metadata"]["name"]: d for d in documents if d["kind"] == "NetworkAttachmentDefinition"}
    assert set(found) == {"ctlplane", "internalapi", "storage", "tenant", "datacentre"}
    for network in plan.networks:
        name = network.name if network.has_pool else "datacentre"
        [plugin] = plugins_of(found[name], Attachment("openstack", name, "net1"), "/leases")
        assert plugin["master"] == network.device
        if network.has_pool:
            first, last = network.pods
            piece = {"subnet": str(network.subnet), "rangeStart": str(first), "rangeEnd": str(last)}
            assert plugin["ipam"]["ranges"] == [[piece]]


def test_every_kind_of_the_networks_has_a_schema_that_rejects_what_it_does_not_know() -> None:
    """Definitions render, and none lets unknown fields through."""
    text = json.dumps(render(MANIFESTS / "30-networks.yaml"))
    assert "preserve-unknown" not in text
    assert text.count("openAPIV3Schema") == 3


def test_the_nodes_have_different_addresses_that_nobody_is_given() -> None:
    """Each node's policy names .5, .6, .7, outside of every range."""
    plan = TOPOLOGY
    documents = render(
        MANIFESTS / "31-attachments.yaml", nodes=plan.nodes, isolated=plan.isolated, networks=plan.networks
    )
    policies = [d["spec"] for d in documents if d["kind"] == "NodeNetworkConfigurationPolicy"]
    assert [p["nodeSelector"]["kubernetes.io/hostname"] for p in policies] == [node.name for node in plan.nodes]
    given_out = [
        IPv4Address(address["ip"])
        for policy in policies
        for interface in policy["desiredState"]["interfaces"]
        for address in interface["ipv4"].get("address", [])
    ]
    assert len(set(given_out)) == len(given_out) == len(plan.nodes) * 3
    first, _ = zip(*(network.pods for network in plan.isolated), strict=True)
    assert all(address < low for address in given_out for low in first if address in IPv4Network(f"{low}/24", False))
