"""What the policy agent keeps of the cluster's objects: a small part of what Kubernetes says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

Json = dict[str, Any]
Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod with a network of its own."""

    namespace: str
    name: str
    node: str
    labels: Labels = field(default_factory=dict, hash=False)
    addresses: tuple[IPv4Address, ...] = ()
    """None yet while its sandbox is being made."""
    ports: tuple[tuple[str, str, int], ...] = ()
    """Its named ports: name, protocol, number."""

    def port(self, name: str, protocol: str) -> int | None:
        """Return the number of a named port, if the pod has it."""
        return next((number for n, p, number in self.ports if (n, p) == (name, protocol)), None)


@dataclass(frozen=True, slots=True)
class Policy:
    """A NetworkPolicy."""

    namespace: str
    name: str
    spec: Json = field(hash=False)

    @property
    def directions(self) -> Iterable[str]:
        """Return in which directions it isolates; without policyTypes, as its API's documentation says."""
        return self.spec.get("policyTypes") or ("Ingress", *(["Egress"] if "egress" in self.spec else []))


def pod_of(document: Json) -> Pod | None:
    """Return a pod; None for one that has no network of its own: on the node's, or ended.

    A pod that is being deleted counts until it has ended: its processes may still talk.
    """
    meta, spec, status = document["metadata"], document["spec"], document.get("status", {})
    if spec.get("hostNetwork") or status.get("phase") in ("Succeeded", "Failed") or not spec.get("nodeName"):
        return None
    ports = (
        port for group in ("containers", "initContainers") for c in spec.get(group, ()) for port in c.get("ports", ())
    )
    return Pod(
        meta["namespace"],
        meta["name"],
        spec["nodeName"],
        meta.get("labels") or {},
        tuple(IPv4Address(entry["ip"]) for entry in status.get("podIPs", ()) if ":" not in entry["ip"]),
        tuple((p["name"], p.get("protocol", "TCP"), p["containerPort"]) for p in ports if p.get("name")),
    )


def policy_of(document: Json) -> Policy:
    """Return a policy."""
    meta = document["metadata"]
    return Policy(meta["namespace"], meta["name"], document["spec"])


def labels_of(document: Json) -> Labels:
    """Return an object's labels."""
    return document["metadata"].get("labels") or {}


def selects(selector: Json, labels: Labels) -> bool:
    """Tell whether a label selector selects something with these labels; an empty one selects all."""
    return all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items()) and all(
        _holds(demand, labels) for demand in selector.get("matchExpressions") or ()
    )


def _holds(demand: Json, labels: Labels) -> bool:
    key, values = demand["key"], demand.get("values") or ()
    match demand["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:  # DoesNotExist: the API server lets nothing else through
            return key not in labels
