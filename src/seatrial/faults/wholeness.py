"""Whether a component has all its instances again, read from its pods (a workload's own status lags behind them)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from seatrial.faults import proof
from seatrial.faults.select import Chosen
from seatrial.model.errors import Unreachable
from seatrial.model.fault import Look
from seatrial.model.inventory import Component
from seatrial.model.observation import Json

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment


def workloads(deployment: Deployment, chosen: Iterable[Chosen]) -> list[Json]:
    """Return, as data for a recipe, each component that is touched: how to find its pods, how many it shall have."""
    touched = {one.component.subject: one.component for one in chosen}
    return [_workload(deployment, touched[subject]) for subject in sorted(touched)]


def whole(deployment: Deployment, recipe: Mapping[str, Json], *, replaced: frozenset[str] = frozenset()) -> Look:
    """Tell whether every component of the recipe has as many ready pods as it shall have.

    ``replaced``: uids of pods and ids of containers that must not be among them any more. What was killed may look
    ready until the platform has noticed.
    """
    found: list[Json] = []
    met = True
    for workload in proof.entries(recipe, "workloads"):
        pods = members(deployment, workload)
        ready = [pod for pod in pods if is_ready(pod) and not replaced & identities(pod)]
        desired = _desired(deployment, workload, len(ready))
        # What was not ready before is nobody's to repair here.
        as_before = len(pods) == len(ready) or desired < int(workload["desired"])
        met = met and len(ready) >= desired and as_before
        found.append(
            {
                "workload": f"{workload['kind'].lower()}/{workload['namespace']}/{workload['name']}",
                "ready": [pod["metadata"]["name"] for pod in ready],
                "desired": desired,
                "not_ready": [pod["metadata"]["name"] for pod in pods if pod not in ready],
            }
        )
    return Look(met, {"components": found})


def _desired(deployment: Deployment, workload: Mapping[str, Any], ready: int) -> int:
    """Return how many it shall have: as prepared, or fewer when its owner has scaled it down or removed it since."""
    prepared = min(int(workload["desired"]), int(workload.get("ready", workload["desired"])))
    if ready >= prepared or workload["kind"] not in ("Deployment", "StatefulSet"):
        return prepared
    now = deployment.kube.get(workload["kind"], workload["name"], namespace=workload["namespace"])
    return min(prepared, int(now["spec"].get("replicas", 1))) if now is not None else 0


def by_hand(recipe: Mapping[str, Json]) -> tuple[str, ...]:
    """Return what a person does when a component does not become whole: see why its pods are not ready."""
    return tuple(
        f"see why it is not whole: kubectl describe {workload['kind'].lower()} -n {workload['namespace']} "
        f"{workload['name']}"
        for workload in proof.entries(recipe, "workloads")
    )


def members(deployment: Deployment, workload: Mapping[str, Any], *, leaving: bool = False) -> list[dict[str, Any]]:
    """Return the pods of one component; with ``leaving`` also those that are being deleted, which may still work."""
    labels = ",".join(f"{key}={value}" for key, value in sorted(workload["labels"].items()))
    found = [
        pod
        for pod in deployment.kube.list("Pod", namespace=workload["namespace"], labels=labels)
        if _belongs(pod, workload) and not is_over(pod) and (leaving or "deletionTimestamp" not in pod["metadata"])
    ]
    return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))


def is_over(pod: Mapping[str, Any]) -> bool:
    """Tell whether a pod has ended for good, as evicted ones have: its controller has long made another."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Tell whether the platform calls this pod ready."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def identities(pod: Mapping[str, Any]) -> frozenset[str]:
    """Return what changes when a pod or one of its containers is made anew: the uid and the containers' ids."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return frozenset([str(pod["metadata"]["uid"]), *(str(s.get("containerID") or "") for s in statuses)])


def _belongs(pod: Mapping[str, Any], workload: Mapping[str, Any]) -> bool:
    owner = next((o for o in pod["metadata"].get("ownerReferences") or [] if o.get("controller")), None)
    if owner is None:
        return False
    name = str(workload["name"])
    if workload["kind"] == "Deployment":
        return owner["kind"] == "ReplicaSet" and str(owner["name"]).startswith(f"{name}-")
    return bool(owner["kind"] == workload["kind"] and owner["name"] == name)


def _workload(deployment: Deployment, component: Component) -> dict[str, Json]:
    manifest = deployment.kube.get(component.kind, component.name, namespace=component.namespace)
    if manifest is None:
        raise Unreachable(f"{component.subject} is not there any more; discover again")
    return {
        "kind": component.kind,
        "namespace": component.namespace,
        "name": component.name,
        "uid": manifest["metadata"]["uid"],
        "desired": component.desired,
        "ready": sum(replica.ready for replica in component.replicas),
        "labels": dict((manifest["spec"].get("selector") or {}).get("matchLabels") or {}),
    }
