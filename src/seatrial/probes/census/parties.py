"""Names for the ends of connections: which service, component and replica an address belongs to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from seatrial.clients.kube import Manifest
from seatrial.model.inventory import Component, Inventory, Role

OUTSIDE, NODE, PLATFORM, UNKNOWN = "outside", "node", "platform", "unknown"


@dataclass(frozen=True, slots=True)
class Party:
    """Whoever is at one end of a connection."""

    service: str
    component: str
    replica: str | None = None
    role: str = Role.OTHER.value
    subject: str | None = None
    """Of the replica, as observations name it."""


@dataclass(frozen=True, slots=True)
class Frontend:
    """An address of a Kubernetes Service, and where it leads."""

    via: str
    party: Party
    """The component behind it, without a replica."""
    port: int
    backends: frozenset[str]
    """Addresses of the pods behind it."""


@dataclass(frozen=True, slots=True)
class Directory:
    """All known addresses."""

    pods: Mapping[str, Party] = field(default_factory=dict)
    nodes: Mapping[str, str] = field(default_factory=dict)
    frontends: Mapping[tuple[str, int], Frontend] = field(default_factory=dict)
    pod_ranges: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    def name(self, ip: str) -> Party:
        """Return who has an address."""
        if ip in self.pods:
            return self.pods[ip]
        if ip in self.nodes:
            return Party(NODE, self.nodes[ip])
        parsed = ipaddress.ip_address(ip)
        if any(parsed in cidr for cidr in self.pod_ranges):
            # It was a pod's, and no listing has shown that pod.
            return Party(UNKNOWN, ip)
        return Party(OUTSIDE, ip)


def pod_party(pod: Manifest, inventory: Inventory) -> Party:
    """Return who a pod is: by its uid if discovery saw it, else by the component whose name it continues."""
    metadata = pod["metadata"]
    name, namespace = metadata["name"], metadata["namespace"]
    for component in _all(inventory):
        if any(replica.uid == metadata["uid"] for replica in component.replicas):
            return _of(component, metadata)
    heirs = [
        component
        for component in _all(inventory)
        if component.namespace == namespace
        and name.startswith(f"{component.name}-")
        and component.kind != "Pod"
        and metadata.get("ownerReferences")
    ]
    if heirs:
        return _of(max(heirs, key=lambda c: len(c.name)), metadata)
    service = (metadata.get("labels") or {}).get("service", "").split("-")[0]
    return Party(service or UNKNOWN, name, name, subject=f"pod/{namespace}/{name}")


@dataclass(frozen=True, slots=True)
class PodNetwork:
    """What pods of one node see of it: the node's addresses among them, and the range that all of them share."""

    node: str
    gateways: tuple[str, ...]
    ranges: tuple[str, ...]


def directory(
    inventory: Inventory,
    pods: Sequence[Manifest],
    *,
    others: Iterable[Manifest] = (),
    nodes: Iterable[Manifest] = (),
    networks: Iterable[PodNetwork] = (),
) -> Directory:
    """Build the directory: ``pods`` of the deployment, ``others`` any pods elsewhere on the platform."""
    by_ip: dict[str, Party] = {}
    for pod in others:
        place = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for ip in addresses(pod):
            by_ip[ip] = Party(PLATFORM, place)
    for pod in pods:
        party = pod_party(pod, inventory)
        for ip in addresses(pod):
            by_ip[ip] = party
    node_ips, ranges = _nodes(nodes, networks)
    return Directory(by_ip, node_ips, _frontends(inventory, by_ip, pods), ranges)


def platform_api(directory: Directory, service: Manifest | None) -> Directory:
    """Return the directory with the address of the platform's own API in it."""
    if service is None:
        return directory
    spec = service["spec"]
    party = Party(PLATFORM, "kube-apiserver")
    extra = {
        (ip, int(port["port"])): Frontend("service/default/kubernetes", party, int(port["port"]), frozenset())
        for ip in spec.get("clusterIPs") or [spec["clusterIP"]]
        for port in spec["ports"]
    }
    return Directory(directory.pods, directory.nodes, {**directory.frontends, **extra}, directory.pod_ranges)


def _of(component: Component, metadata: Manifest) -> Party:
    name = metadata["name"]
    subject = f"pod/{metadata['namespace']}/{name}"
    return Party(component.service or UNKNOWN, component.name, name, component.role.value, subject)


def _all(inventory: Inventory) -> tuple[Component, ...]:
    return (*inventory.components, *(operator.component for operator in inventory.operators))


def addresses(pod: Manifest) -> list[str]:
    """Return the pod's own addresses; none for one that borrows its node's."""
    status = pod.get("status") or {}
    if (pod.get("spec") or {}).get("hostNetwork"):
        return []
    listed = [entry["ip"] for entry in status.get("podIPs") or [] if entry.get("ip")]
    return listed or ([status["podIP"]] if status.get("podIP") else [])


_Range = ipaddress.IPv4Network | ipaddress.IPv6Network


def _nodes(nodes: Iterable[Manifest], networks: Iterable[PodNetwork]) -> tuple[dict[str, str], tuple[_Range, ...]]:
    """Return the names of nodes by address, and the ranges of pod addresses."""
    names: dict[str, str] = {}
    ranges: dict[_Range, str] = {}
    for node in nodes:
        name = node["metadata"]["name"]
        for entry in (node.get("status") or {}).get("addresses") or []:
            if entry["type"] in ("InternalIP", "ExternalIP"):
                names[entry["address"]] = name
        spec = node.get("spec") or {}
        for text in spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else []):
            ranges[ipaddress.ip_network(text)] = name
    for network in networks:
        for gateway in network.gateways:
            names.setdefault(gateway, network.node)
        for text in network.ranges:
            ranges.setdefault(ipaddress.ip_network(text), network.node)
    for cidr, name in ranges.items():
        # The node's own address among its pods: a bridge's is the first, OVN-Kubernetes' management port the second.
        # Kubelet probes come from there; a pod that really has the address is found before.
        for at in (1, 2):
            if cidr.num_addresses > 4:
                names.setdefault(str(cidr[at]), name)
    return names, tuple(ranges)


def _frontends(
    inventory: Inventory, by_ip: Mapping[str, Party], pods: Iterable[Manifest]
) -> dict[tuple[str, int], Frontend]:
    ips = {(p["metadata"]["namespace"], p["metadata"]["name"]): addresses(p) for p in pods}
    found: dict[tuple[str, int], Frontend] = {}
    for service in inventory.services:
        backends = frozenset(ip for pod in service.backends for ip in ips.get((service.namespace, pod), ()))
        behind = [by_ip[ip] for ip in sorted(backends) if ip in by_ip]
        party = (
            Party(behind[0].service, behind[0].component, None, behind[0].role)
            if behind
            else Party(service.service or UNKNOWN, service.name)
        )
        for port in service.ports:
            target = int(port.target) if port.target.isdigit() else port.port
            for ip in (service.cluster_ip, *service.external_ips):
                if ip:
                    found[ip, port.port] = Frontend(service.subject, party, target, backends)
    return found
