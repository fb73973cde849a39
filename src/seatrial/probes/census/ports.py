"""Which listeners may be spoken to: those of which somebody declared that clients come to them; pure.

A listener that nobody declared may be there for one client alone (a state transfer, a debugger, a console): whoever
says hello to it takes that client's place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from seatrial.clients.kube import Manifest
from seatrial.model.inventory import Inventory, ServiceObject
from seatrial.probes.census.parties import addresses
from seatrial.probes.census.sockets import End

STATE_TRANSFER = frozenset({4444, 4568})
"""Ports on which a joining database member waits for its one donor (Galera: SST, IST); never, even if declared."""


def declared(inventory: Inventory, pods: Iterable[Manifest], *, spared: Collection[str] = ()) -> frozenset[End]:
    """Return the ends that are a containerPort of a pod or the target of a Service that leads to it.

    ``spared``: subjects that are hurt at the moment; their whole components are left alone.
    """
    left_alone = set(spared)
    for component in (*inventory.components, *(operator.component for operator in inventory.operators)):
        own = {component.subject, *(replica.subject for replica in component.replicas)}
        if own & left_alone:
            left_alone |= own
    return frozenset(
        End(ip, port)
        for pod in pods
        if f"pod/{pod['metadata']['namespace']}/{pod['metadata']['name']}" not in left_alone
        for port in _ports(inventory, pod)
        if port not in STATE_TRANSFER
        for ip in addresses(pod)
    )


def _ports(inventory: Inventory, pod: Manifest) -> set[int]:
    # A Service whose target is a name means a port of that name in a container, which is found there.
    found = set(_container_ports(pod))
    for service in inventory.services:
        if _leads_to(service, pod):
            found |= {int(p.target) for p in service.ports if p.protocol == "TCP" and p.target.isdigit()}
    return found


def _container_ports(pod: Manifest) -> Iterator[int]:
    spec = pod.get("spec") or {}
    for container in (*(spec.get("initContainers") or []), *(spec.get("containers") or [])):
        for port in container.get("ports") or []:
            if port.get("protocol", "TCP") == "TCP":
                yield int(port["containerPort"])


def _leads_to(service: ServiceObject, pod: Manifest) -> bool:
    metadata = pod["metadata"]
    if service.namespace != metadata["namespace"]:
        return False
    labels = metadata.get("labels") or {}
    selected = bool(service.selector) and service.selector.items() <= labels.items()
    return selected or metadata["name"] in service.backends
