"""Custom resources of the deployment: their conditions, and the few fields that checks need."""

from __future__ import annotations

from collections.abc import Mapping

from seatrial.clients.kube import Manifest
from seatrial.discovery.ownership import Tree
from seatrial.model.inventory import Condition, Resource

_SPEC = (
    "name",
    "replicas",
    "queueType",
    "databaseInstance",
    "databaseAccount",
    "memcachedInstance",
    "rabbitMqClusterName",
    "rabbitmqClusterName",
    "userName",
    "accountType",
    "serviceName",
    "serviceType",
    "serviceUser",
    "enabled",
    "endpoints",
    "region",
    "storageClass",
    "uniquePodNames",
    "operatorOverrides",
)
_STATUS = (
    "readyCount",
    "queueType",
    "currentVersion",
    "bootstrapped",
    "rootDatabaseAccount",
    "rootDatabaseSecret",
    "databaseHostname",
    "apiEndpoints",
    "endpoints",
    "serverList",
    "serviceID",
    "completed",
    "deployedVersion",
    "availableVersion",
    "releaseVersion",
    "totalOperatorCount",
    "enabledOperatorCount",
    "disabledOperatorCount",
    "deployedOperatorCount",
    "rabbitmqClusterName",
    "rabbitmqVhost",
    "secretName",
)
"""A closed list on purpose: free text of a spec (``customServiceConfig``) may hold passwords; names of Secrets pass."""
_LABELS = ("dbName", "mariaDBDatabaseName")
"""Labels that tie a database or account to its Galera (rhoso-topology, section 4.1); kept as ``spec["labels"]``."""


def resource(manifest: Manifest, tree: Tree) -> Resource:
    """Return what is kept of one custom resource."""
    metadata, spec, status = manifest["metadata"], manifest.get("spec") or {}, manifest.get("status") or {}
    observed = status.get("observedGeneration")
    kept = _selected(spec, _SPEC)
    labels = _selected(metadata.get("labels") or {}, _LABELS)
    if labels:
        kept["labels"] = labels
    replicas = spec.get("replicas")
    return Resource(
        kind=manifest["kind"],
        name=metadata["name"],
        namespace=metadata.get("namespace", ""),
        uid=metadata["uid"],
        generation=int(metadata.get("generation", 0)),
        observed_generation=None if observed is None else int(observed),
        replicas=None if replicas is None else int(replicas),
        conditions=conditions(status),
        owners=tuple(link.owner for link in tree.chain(manifest)),
        spec=kept,
        status=_selected(status, _STATUS),
        api_version=manifest.get("apiVersion", ""),
    )


def conditions(status: Mapping[str, object]) -> tuple[Condition, ...]:
    """Return ``status.conditions`` in the order of the resource."""
    listed = status.get("conditions")
    if not isinstance(listed, list):
        return ()
    return tuple(
        Condition(str(c["type"]), str(c.get("status", "")), str(c.get("reason", "")), str(c.get("message", "")))
        for c in listed
        if isinstance(c, dict) and "type" in c
    )


def _selected(fields: Mapping[str, object], names: tuple[str, ...]) -> dict[str, object]:
    return {name: fields[name] for name in names if name in fields}
