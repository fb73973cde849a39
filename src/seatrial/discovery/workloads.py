"""Pods gathered under the workload that makes them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from seatrial.clients.kube import Manifest
from seatrial.discovery import naming
from seatrial.discovery.ownership import Tree
from seatrial.model.inventory import Component, Container, Replica, Role

_MAKERS = ("Deployment", "StatefulSet", "DaemonSet", "Job")
_CARRIED = ("ReplicaSet", "CronJob")
"""Kinds between a pod and its workload, or between a Job and its service; never components themselves."""


def components(found: Mapping[str, Sequence[Manifest]], tree: Tree, behind_api: frozenset[str]) -> list[Component]:
    """Return every workload with its pods, and every pod that no workload made as a component of its own.

    ``behind_api``: ``namespace/name`` of pods to which an API's Service sends clients.
    """
    pods: dict[str, list[Manifest]] = defaultdict(list)
    makers: dict[str, Manifest] = {}
    for kind in _MAKERS:
        for manifest in found.get(kind, ()):
            makers[manifest["metadata"]["uid"]] = manifest
    for pod in found.get("Pod", ()):
        maker = next((link.owner.uid for link in tree.chain(pod) if link.owner.uid in makers), None)
        uid = maker or pod["metadata"]["uid"]
        makers.setdefault(uid, pod)
        pods[uid].append(pod)
    return [_component(manifest, pods[uid], tree, behind_api) for uid, manifest in makers.items()]


def _component(manifest: Manifest, pods: Sequence[Manifest], tree: Tree, behind_api: frozenset[str]) -> Component:
    metadata, spec = manifest["metadata"], manifest.get("spec") or {}
    template = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    labels = {**template, **(metadata.get("labels") or {})}
    chain = tree.chain(manifest)
    owners = tuple(link.owner for link in chain if link.owner.kind not in _CARRIED)
    service = naming.service_of(labels, [(link.owner.kind, link.group) for link in chain])
    replicas = tuple(sorted((replica(pod) for pod in pods), key=lambda r: r.name))
    served = any(f"{r.namespace}/{r.name}" in behind_api for r in replicas)
    role = naming.role_of(manifest["kind"], service, owners, behind_api=served)
    if naming.OPERATOR_LABEL in labels:
        service, role = "operator", Role.OTHER
    return Component(
        service=service,
        name=metadata["name"],
        kind=manifest["kind"],
        namespace=metadata["namespace"],
        role=role,
        desired=_desired(manifest),
        replicas=replicas,
        owners=owners,
        cell=labels.get("cell"),
        labels=labels,
    )


def _desired(manifest: Manifest) -> int:
    spec, status = manifest.get("spec") or {}, manifest.get("status") or {}
    if manifest["kind"] == "DaemonSet":
        return int(status.get("desiredNumberScheduled", 0))
    if manifest["kind"] == "Job":
        return int(spec.get("completions") or spec.get("parallelism") or 1)
    return int(spec.get("replicas", 1))


def replica(pod: Manifest) -> Replica:
    """Return a pod as a replica; one that is being deleted has the phase ``Terminating``."""
    metadata, status = pod["metadata"], pod.get("status") or {}
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or []}
    containers = tuple(
        Container(
            name=c["name"],
            ready=bool(c.get("ready")),
            restarts=int(c.get("restartCount", 0)),
            image=c.get("image", ""),
            id=c.get("containerID", ""),
        )
        for c in status.get("containerStatuses") or []
    )
    return Replica(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        node=(pod.get("spec") or {}).get("nodeName", ""),
        ip=status.get("podIP", ""),
        ready=conditions.get("Ready") == "True" and not metadata.get("deletionTimestamp"),
        phase="Terminating" if metadata.get("deletionTimestamp") else status.get("phase", ""),
        containers=containers,
        started_at=status.get("startTime", ""),
        labels=dict(metadata.get("labels") or {}),
    )
