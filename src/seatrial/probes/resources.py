"""What custom resources say about themselves, beside what their workloads really are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import cast

from seatrial.clients.deployment import Deployment
from seatrial.clients.kube import Kube, Manifest
from seatrial.clients.looking import look, observed
from seatrial.model.errors import NotPermitted, Unreachable
from seatrial.model.inventory import Inventory, Resource
from seatrial.model.observation import Json, Observation

_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
OPERATOR_LABEL = "openstack.org/operator-name"


@dataclass(frozen=True, slots=True)
class _Made:
    """One workload, and the resource that owns it directly."""

    owner_kind: str
    owner: str
    declared: int
    """How many instances the resource declares, as far as that means this workload; else 0."""
    manifest: Manifest


def conditions(deployment: Deployment, inventory: Inventory) -> tuple[Observation, ...]:
    """Return a ``resource.conditions`` Observation for each custom resource that reports whether it is Ready.

    {kind, ready, conditions, generation, observed_generation, workload}; ``workload`` adds up what the resource and
    the resources below it own: {desired, ready, parts: [{subject, made_by, owner, desired, ready, unready_s}]}, or null
    when that is nothing. ``desired`` is what the owning resource declares, or the workload wants, whichever is more;
    ``unready_s``: for how long the platform knows that some pod of it is not ready.
    """
    kube = deployment.kube
    try:
        below = _workloads(kube, inventory)
    except (Unreachable, NotPermitted) as problem:
        return (_blind("resource.conditions", f"deployment/{deployment.target.name}", problem),)
    return tuple(
        look("resource.conditions", resource.subject, partial(_state, kube, resource, below))
        for resource in inventory.resources
        if resource.conditions
    )


def operators(deployment: Deployment, inventory: Inventory) -> tuple[Observation, ...]:
    """Return one ``resource.operators`` Observation: who owns each operator, and what the meta-operator counts.

    {metas: [{subject, counts}], operators: [{name, subject, owners: [{kind, name}], desired, ready}]}; owners are read
    anew, controllers only, from the nearest to the top.
    """
    kube, namespace = deployment.kube, deployment.target.namespaces.operators

    def ask() -> Json:
        metas = kube.list("OpenStack.operator.openstack.org", namespace=namespace)
        by_uid = {m["metadata"]["uid"]: m for m in metas}
        found = kube.list("Deployment", namespace=namespace, labels=OPERATOR_LABEL)
        return {
            "metas": [
                {
                    "subject": f"openstack/{namespace}/{meta['metadata']['name']}",
                    "counts": {k: v for k, v in (meta.get("status") or {}).items() if k.endswith("OperatorCount")},
                }
                for meta in metas
            ],
            "operators": [_operator(manifest, by_uid) for manifest in found],
        }

    return (look("resource.operators", f"namespace/{namespace}", ask),)


def _operator(manifest: Manifest, known: Mapping[str, Manifest]) -> Json:
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    owners: list[Json] = []
    current: Manifest | None = manifest
    while current is not None and len(owners) < 5:
        references = current["metadata"].get("ownerReferences") or []
        controller = next((r for r in references if r.get("controller")), None)
        if controller is None:
            break
        # An owner that is not there any more is no owner; the platform would collect what it owned.
        exists = controller["kind"] != "OpenStack" or controller["uid"] in known
        owners.append({"kind": controller["kind"], "name": controller["name"], "exists": exists})
        current = known.get(controller["uid"])
    return {
        "name": metadata["labels"][OPERATOR_LABEL],
        "subject": f"deployment/{metadata['namespace']}/{metadata['name']}",
        "owners": owners,
        "desired": int((manifest.get("spec") or {}).get("replicas", 1)),
        "ready": int(status.get("readyReplicas", 0)),
    }


def _state(kube: Kube, resource: Resource, below: Mapping[str, list[_Made]]) -> Json:
    manifest = kube.get(
        f"{resource.kind}.{resource.api_version.rpartition('/')[0]}", resource.name, namespace=resource.namespace
    )
    if manifest is None:
        raise Unreachable(f"{resource.subject} is not there any more")
    status = manifest.get("status") or {}
    listed = [
        {k: str(c.get(k, "")) for k in ("type", "status", "reason", "message", "lastTransitionTime")}
        for c in status.get("conditions") or []
    ]
    ready = next((c["status"] for c in listed if c["type"] == "Ready"), None)
    return {
        "kind": resource.kind,
        "ready": ready,
        "conditions": cast("list[Json]", listed),
        "generation": int(manifest["metadata"].get("generation", 0)),
        "observed_generation": status.get("observedGeneration"),
        "workload": _workload(kube, below.get(resource.uid, [])),
    }


def _workload(kube: Kube, made: list[_Made]) -> Json:
    if not made:
        return None
    parts = [_part(kube, one) for one in made]
    return {
        "desired": sum(cast("int", part["desired"]) for part in parts),
        "ready": sum(min(cast("int", part["ready"]), cast("int", part["desired"])) for part in parts),
        "parts": cast("list[Json]", parts),
    }


def _part(kube: Kube, made: _Made) -> dict[str, Json]:
    """Return one workload as it is now; one that has gone since is wanted, and not there."""
    metadata = made.manifest["metadata"]
    manifest = kube.get(made.manifest["kind"], metadata["name"], namespace=metadata["namespace"])
    wanted, ready = (max(1, _replicas(made.manifest)[0]), 0) if manifest is None else _replicas(manifest)
    # A workload that was made smaller than its resource declares is whole in itself, and still lacks instances.
    desired = max(wanted, made.declared)
    unready_s = _unready_s(kube, manifest) if manifest is not None and ready < desired else 0.0
    return {
        "subject": f"{made.manifest['kind'].lower()}/{metadata['namespace']}/{metadata['name']}",
        "made_by": made.owner_kind,
        "owner": made.owner,
        "desired": desired,
        "ready": ready,
        "unready_s": round(unready_s, 3),
    }


def _replicas(manifest: Manifest) -> tuple[int, int]:
    spec, status = manifest.get("spec") or {}, manifest.get("status") or {}
    if manifest["kind"] == "DaemonSet":
        return int(status.get("desiredNumberScheduled", 0)), int(status.get("numberReady", 0))
    return int(spec.get("replicas", 1)), int(status.get("readyReplicas", 0))


def _unready_s(kube: Kube, manifest: Manifest) -> float:
    """Return for how long some pod of a workload is known not to be ready; 0 when no pod of it tells."""
    selector = ((manifest.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    if not selector:
        return 0.0
    labels = ",".join(f"{k}={v}" for k, v in sorted(selector.items()))
    longest, now = 0.0, datetime.now(UTC)
    for pod in kube.list("Pod", namespace=manifest["metadata"]["namespace"], labels=labels):
        for condition in (pod.get("status") or {}).get("conditions") or []:
            if condition["type"] == "Ready" and condition["status"] != "True" and condition.get("lastTransitionTime"):
                since = datetime.fromisoformat(condition["lastTransitionTime"])
                longest = max(longest, (now - since).total_seconds())
    return longest


def _workloads(kube: Kube, inventory: Inventory) -> dict[str, list[_Made]]:
    """Return the workloads below each custom resource by its uid, whatever is between."""
    resources = {r.uid: r for r in inventory.resources}
    owned: dict[str, list[Manifest]] = defaultdict(list)
    for namespace in sorted({r.namespace for r in inventory.resources}):
        for kind in _WORKLOADS:
            for manifest in kube.list(kind, namespace=namespace):
                references = manifest["metadata"].get("ownerReferences") or []
                owner = next((r["uid"] for r in references if r.get("controller")), None)
                if owner in resources:
                    owned[owner].append(manifest)
    found: dict[str, list[_Made]] = defaultdict(list)
    for uid, manifests in owned.items():
        owner = resources[uid]
        # Of several workloads nobody can say which of them the resource's replica count means.
        declared = (owner.replicas or 0) if len(manifests) == 1 else 0
        for manifest in manifests:
            for above in dict.fromkeys((uid, *(o.uid for o in owner.owners))):
                found[above].append(_Made(owner.kind, owner.subject, declared, manifest))
    return found


def _blind(probe: str, subject: str, problem: Exception) -> Observation:
    error = f"{type(problem).__name__}: {problem}"
    return observed(probe, subject, None, asked_at=datetime.now(UTC), took_s=0.0, error=error)
