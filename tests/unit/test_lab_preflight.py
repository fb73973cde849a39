"""Whatever keeps the lab from standing is found at once, and nothing has been touched then."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from seatrial_lab.errors import CannotHost
from seatrial_lab.host import network, preflight
from seatrial_lab.topology import SIZES, TOPOLOGY


def test_everything_lacking_is_told_at_once() -> None:
    """Too little memory and a range that is in use: both are named, each with what to do."""
    greedy = replace(SIZES["core"], memory_mb=10**9)
    everywhere = replace(TOPOLOGY, ctlplane=IPv4Network("0.0.0.0/1"), pods=IPv4Network("128.0.0.0/1"))
    found = preflight.lacks(everywhere, greedy, built=True)
    text = str(CannotHost(found))
    assert "1000000000 MB" in text
    if shutil.which("ip"):
        routes = subprocess.run(["ip", "-4", "route"], check=True, capture_output=True, text=True).stdout
        assert ("is in use on" in text) == bool(routes.strip())
    assert all(lack.remedy for lack in found)


@pytest.mark.skipif(os.geteuid() == 0, reason="this tells what someone who is not root reads")
def test_someone_who_is_not_root_is_told_so() -> None:
    """The first thing that an ordinary user reads is what to do."""
    assert any("root" in lack.what for lack in preflight.lacks(TOPOLOGY, SIZES["core"], built=True))


def test_nodes_have_addresses_of_their_own() -> None:
    """No two machines share an address, a namespace or a pod range."""
    machines = TOPOLOGY.machines
    assert len({m.address for m in machines}) == len({m.namespace for m in machines}) == len(machines)
    ranges = [node.pods for node in TOPOLOGY.nodes]
    assert not any(a.overlaps(b) for i, a in enumerate(ranges) for b in ranges[i + 1 :])


def test_devices_of_every_size_have_names_that_the_kernel_takes_and_down_knows() -> None:
    """No name is longer than 15 letters or used twice, and the widest plan holds the names of every size."""
    cabled = (*TOPOLOGY.nodes, *TOPOLOGY.computes)
    ports = [machine.port(network) for network in TOPOLOGY.isolated for machine in cabled]
    names = [*ports, *(network.switch for network in TOPOLOGY.networks), *(n.device for n in TOPOLOGY.networks)]
    assert all(len(name) <= 15 for name in names)
    assert len(set(names)) == len(names)
    for size in SIZES.values():
        assert set(network.namespaces(size.plan)) <= set(network.namespaces(TOPOLOGY))


def test_ranges_of_a_network_do_not_overlap() -> None:
    """What pods, load balancers and compute nodes get never meets, nor the machines' own addresses."""
    for one in TOPOLOGY.networks:
        bounds = [bound for ends in (one.pods, one.pool, one.computes) for bound in ends]
        assert bounds == sorted(set(bounds))
        assert all(bound in one.subnet for bound in bounds)
    first, last = TOPOLOGY.networks[0].computes
    assert all(first <= compute.address <= last for compute in TOPOLOGY.computes)
    assert all(node.address < TOPOLOGY.networks[0].pods[0] for node in (TOPOLOGY.control, *TOPOLOGY.nodes))
