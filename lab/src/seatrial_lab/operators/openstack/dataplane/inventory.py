"""The Ansible inventory of a NodeSet, and the names and addresses that its status tells: pure functions of data.

Variables are called as RHOSO's operator calls them: the roles of osp.edpm are written against them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Final

from seatrial_lab.operators.common.resources import Json

CTLPLANE: Final = "ctlplane"
DEFAULT_MTU: Final = 1500


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a NodeSet, with the addresses that were reserved for it."""

    name: str
    spec: Json
    reservations: tuple[Json, ...]

    @property
    def host(self) -> str:
        """What it is called: in the inventory, in OVN and in Nova."""
        return str(self.spec["hostName"])

    def on(self, network: str) -> Json | None:
        """Its reservation in a network."""
        return next((r for r in self.reservations if r["network"].lower() == network), None)

    def fqdn(self, reservation: Json) -> str:
        """Its name in a network."""
        return f"{self.host.split('.')[0]}.{reservation['dnsDomain']}"


@dataclass(frozen=True, slots=True)
class Resolver:
    """How nodes resolve names: what DNSMasq says of itself."""

    addresses: tuple[str, ...] = ()
    cluster_addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variables:
    """What the user says to Ansible beyond the addresses: in the order in which the later wins."""

    nodes: Mapping[str, Json]
    """For one node: `ansibleVarsFrom`, then `ansibleVars`."""
    template: Json = field(default_factory=dict)
    """For all of them."""


def networks_of(spec: Json, node: Json) -> list[Json]:
    """The networks that a node is to have an address in."""
    return list(node.get("networks") or (spec["nodeTemplate"].get("networks") or ()))


def host_names(nodes: Iterable[Node]) -> dict[str, dict[str, str]]:
    """`status.allHostnames`: by node and network."""
    return {node.host: {r["network"]: node.fqdn(r) for r in node.reservations} for node in nodes}


def addresses(nodes: Iterable[Node]) -> dict[str, dict[str, str]]:
    """`status.allIPs`: by node and network."""
    return {node.host: {r["network"]: str(r["address"]) for r in node.reservations} for node in nodes}


def dns_hosts(nodes: Iterable[Node]) -> list[Json]:
    """`spec.hosts` of the NodeSet's DNSData."""
    return [{"ip": str(r["address"]), "hostnames": [node.fqdn(r)]} for node in nodes for r in node.reservations]


def search_domain(nodes: Iterable[Node]) -> str:
    """The domain of the network by which nodes are managed; empty without nodes."""
    return next((str(r["dnsDomain"]) for node in nodes if (r := node.on(CTLPLANE)) is not None), "")


def inventory(name: str, spec: Json, nodes: Iterable[Node], resolver: Resolver, said: Variables) -> Json:
    """The inventory: one group named like the NodeSet."""
    template = spec["nodeTemplate"].get("ansible") or {}
    common: Json = {
        "ansible_user": template.get("ansibleUser", "cloud-admin"),
        "ansible_port": template.get("ansiblePort", 22),
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": f"/runner/env/ssh_key/ssh_key_{name}",
        "edpm_nodeset_name": name,
        "edpm_services": list(spec.get("services") or ()),
        "edpm_tls_certs_enabled": bool(spec.get("tlsEnabled")),
        **said.template,
    }
    hosts = {node.host: {**_host(node, resolver), **said.nodes.get(node.name, {})} for node in nodes}
    return {name: {"hosts": hosts, "vars": common}}


def _host(node: Node, resolver: Resolver) -> Json:
    """What the platform knows of one node."""
    own = node.spec.get("ansible") or {}
    managed = node.on(CTLPLANE)
    lower = {r["network"]: r["network"].lower() for r in node.reservations}
    found: Json = {
        "ansible_host": own.get("ansibleHost") or (managed or {}).get("address", node.host),
        "canonical_hostname": node.fqdn(managed) if managed else node.host,
        "edpm_hostname": node.host,
        "ctlplane_dns_nameservers": list(resolver.addresses),
        "dns_search_domains": [str(r["dnsDomain"]) for r in node.reservations],
        "nodeset_networks": list(lower),
        "networks_lower": lower,
    }
    if "ansibleUser" in own:
        found["ansible_user"] = own["ansibleUser"]
    if "ansiblePort" in own:
        found["ansible_port"] = own["ansiblePort"]
    for reservation in node.reservations:
        found |= _network(reservation)
    return found


def _network(reservation: Json) -> Json:
    """The variables of one network, each beginning with its name."""
    routes = [{"ip_netmask": r["destination"], "next_hop": r["nexthop"]} for r in reservation.get("routes") or ()]
    values: Json = {
        "ip": str(reservation["address"]),
        "cidr": ip_network(reservation["cidr"]).prefixlen,
        "mtu": reservation.get("mtu") or DEFAULT_MTU,
        "host_routes": routes,
        "dns_domain": reservation["dnsDomain"],
    }
    values |= {"vlan_id": reservation["vlan"]} if reservation.get("vlan") else {}
    values |= {"gateway_ip": reservation["gateway"]} if reservation.get("gateway") else {}
    return {f"{reservation['network'].lower()}_{key}": value for key, value in values.items()}
