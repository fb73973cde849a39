"""The objects that size `full` has beyond `core` have the shape of a RHOSO's, and its addresses their places."""

from __future__ import annotations

import base64
import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Lab
from tests.lab.contract import deviations, excesses, shapes, title

RANGES = {"internalapi": "172.17.0", "storage": "172.18.0", "tenant": "172.19.0"}
FIRST, LAST = 30, 70
"""Of the addresses that pods get on an isolated network."""
ATTACHED = {
    "ovsdbserver-nb": ("internalapi", 3),
    "ovsdbserver-sb": ("internalapi", 3),
    "neutron": ("internalapi", 2),
    "glance": ("storage", 1),
    "ovn-controller-ovs": ("tenant", 3),
}
"""By the label `service` of pods: their network, and how many there are."""
OPERATORS = ("openstack", "infra", "mariadb", "keystone", "placement", "glance", "ovn", "neutron", "nova")


@pytest.mark.parametrize("shape", shapes("full"), ids=title)
def test_an_object_is_as_documented(full: Lab, shape: dict[str, Any]) -> None:
    """Name, namespace, labels, controller, ports, addresses and conditions of one object."""
    assert deviations(full, shape) == []


@pytest.mark.parametrize("operator", OPERATORS)
def test_no_operator_may_do_everything(full: Lab, operator: str) -> None:
    """Each operator has an account of its own, and none of them is an administrator."""
    assert excesses(full, operator) == []


def test_there_is_no_other_operator(full: Lab) -> None:
    """But the one that brings the others."""
    deployments = full.get("deployments", "-n", "openstack-operators")["items"]
    names = {deployment["metadata"]["name"] for deployment in deployments}
    managers = {f"{operator}-operator-controller-manager" for operator in OPERATORS}
    assert names == managers | {"openstack-operator-controller-init"}


@pytest.mark.parametrize("service", ATTACHED)
def test_pods_have_addresses_on_their_network(full: Lab, service: str) -> None:
    """As `network-status` says: one each, of the network's range, on an interface named like the network."""
    network, count = ATTACHED[service]
    addresses = [address for pod in _pods(full, service) for address in _addresses(pod, network)]
    assert len(set(addresses)) == len(addresses) == count
    first, last = (ip_address(f"{RANGES[network]}.{host}") for host in (FIRST, LAST))
    assert all(first <= ip_address(address) <= last for address in addresses)


def test_compute_nodes_are_told_where_the_southbound_database_is(full: Lab) -> None:
    """One name for the addresses that its pods have at the moment."""
    hosts = full.get("dnsdata", "ovsdbserver-sb", "-n", "openstack")["spec"]["hosts"]
    assert {name for host in hosts for name in host["hostnames"]} == {"ovsdbserver-sb.openstack.svc"}
    pods = _pods(full, "ovsdbserver-sb")
    assert {host["ip"] for host in hosts} == {address for pod in pods for address in _addresses(pod, "internalapi")}


@pytest.mark.parametrize("database", ["openstack", "openstack-cell1"])
def test_the_client_service_of_a_database_selects_one_pod(full: Lab, database: str) -> None:
    """Clients are sent to one member at a time."""
    selector = full.get("service", database, "-n", "openstack")["spec"]["selector"]
    assert selector["statefulset.kubernetes.io/pod-name"].startswith(f"{database}-galera-")


@pytest.mark.parametrize("service", ["nova-conductor", "nova-api", "nova-scheduler", "placement", "neutron"])
def test_replicas_are_on_different_nodes(full: Lab, service: str) -> None:
    """So that a lost node takes only one of them."""
    by_cell: dict[str, list[str]] = {}
    for pod in _pods(full, service):
        by_cell.setdefault(pod["metadata"]["labels"].get("cell", ""), []).append(pod["spec"]["nodeName"])
    assert by_cell
    assert all(len(set(nodes)) == len(nodes) > 1 for nodes in by_cell.values())


def test_no_pod_runs_nova_compute(full: Lab) -> None:
    """It runs on the two compute nodes, and nowhere else."""
    groups = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            argv = (process / "cmdline").read_bytes().split(b"\0")
            if any(word.endswith(b"/nova-compute") for word in argv[:3]):
                groups.append((process / "cgroup").read_text())
        except OSError:
            continue
    assert groups
    assert not [group for group in groups if "kubepods" in group]


def test_a_compute_node_is_told_of_its_cells_broker_and_of_no_database(full: Lab) -> None:
    """The Secret that nova-compute is configured from."""
    config = _secret(full, "nova-cell1-compute-config")
    text = "\n".join(config.values())
    assert "@rabbitmq-cell1.openstack.svc:" in text
    assert "database]" not in text
    assert "mysql" not in text
    assert _secret(full, "rabbitmq-transport-url-nova-cell1-transport")["transport_url"] in text


def _pods(lab: Lab, service: str) -> list[dict[str, Any]]:
    found = lab.get("pods", "-n", "openstack", "-l", f"service={service}", "--field-selector", "status.phase=Running")
    # Jobs of a service may carry its label too.
    return [pod for pod in found["items"] if pod["metadata"]["ownerReferences"][0]["kind"] != "Job"]


def _addresses(pod: dict[str, Any], network: str) -> list[str]:
    status = json.loads(pod["metadata"]["annotations"]["k8s.v1.cni.cncf.io/network-status"])
    [entry] = [each for each in status if each["name"] == f"openstack/{network}"]
    assert entry["interface"] == network
    return list(entry["ips"])


def _secret(lab: Lab, name: str) -> dict[str, str]:
    data = lab.get("secret", name, "-n", "openstack")["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}
