"""Kubernetes Services: their addresses, and the pods behind each right now."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from seatrial.clients.kube import Manifest
from seatrial.discovery import naming
from seatrial.discovery.ownership import Tree
from seatrial.model.inventory import Component, Port, ServiceObject

_SERVICE_NAME = "kubernetes.io/service-name"
_HEADLESS = "None"
API_ENDPOINTS = ("public", "internal", "admin")
"""Values of the label ``endpoint`` that operators put on the Services of an API (rhoso-topology, section 3.2)."""


def services(manifests: Sequence[Manifest], slices: Sequence[Manifest], tree: Tree) -> tuple[ServiceObject, ...]:
    """Return every Service with its ready backends, named by its own labels and owners."""
    backends: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for piece in slices:
        metadata = piece["metadata"]
        name = (metadata.get("labels") or {}).get(_SERVICE_NAME, "")
        for endpoint in piece.get("endpoints") or []:
            target = endpoint.get("targetRef") or {}
            # No word on readiness means ready (EndpointConditions).
            if target.get("kind") == "Pod" and (endpoint.get("conditions") or {}).get("ready") is not False:
                backends[metadata["namespace"], name][target["name"]] = None
    return tuple(_service(m, backends[m["metadata"]["namespace"], m["metadata"]["name"]], tree) for m in manifests)


def behind_api(found: Sequence[ServiceObject]) -> frozenset[str]:
    """Return ``namespace/name`` of every pod that is behind an API's Service."""
    return frozenset(
        f"{service.namespace}/{pod}"
        for service in found
        if service.labels.get("endpoint") in API_ENDPOINTS
        for pod in service.backends
    )


def named(found: Sequence[ServiceObject], components: Sequence[Component]) -> tuple[ServiceObject, ...]:
    """Return the Services, those without a name of their own named after most of the pods behind them."""
    owner = {(r.namespace, r.name): c.service for c in components for r in c.replicas}
    result: list[ServiceObject] = []
    for service in found:
        votes = Counter(owner.get((service.namespace, pod), "") for pod in service.backends)
        votes.pop("", None)
        if not service.service and votes:
            result.append(replace(service, service=votes.most_common(1)[0][0]))
        else:
            result.append(service)
    return tuple(result)


def _service(manifest: Manifest, backends: dict[str, None], tree: Tree) -> ServiceObject:
    metadata, spec = manifest["metadata"], manifest.get("spec") or {}
    ingress = ((manifest.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    external = [*(entry["ip"] for entry in ingress if entry.get("ip")), *(spec.get("externalIPs") or [])]
    cluster_ip = spec.get("clusterIP", "")
    labels = dict(metadata.get("labels") or {})
    chain = tree.chain(manifest)
    return ServiceObject(
        name=metadata["name"],
        namespace=metadata["namespace"],
        service=naming.service_of(labels, [(link.owner.kind, link.group) for link in chain]),
        type=spec.get("type", "ClusterIP"),
        cluster_ip="" if cluster_ip == _HEADLESS else cluster_ip,
        external_ips=tuple(dict.fromkeys(external)),
        ports=tuple(_port(p) for p in spec.get("ports") or []),
        selector=dict(spec.get("selector") or {}),
        backends=tuple(sorted(backends)),
        labels=labels,
        owners=tuple(link.owner for link in chain),
    )


def _port(port: Manifest) -> Port:
    return Port(
        name=port.get("name", ""),
        port=int(port["port"]),
        target=str(port.get("targetPort", port["port"])),
        protocol=port.get("protocol", "TCP"),
    )
