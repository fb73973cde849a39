"""The harness's own pod as a manifest: admitted where nothing runs as root, bounded, out of the way of what is hurt.

Pure: what is borrowed (image, pull secrets, user) is read by ``fixture_pod`` and stands in the recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seatrial.model.fault import Injection
from seatrial.model.inventory import Inventory, Role

CONTAINER = "agent"
LIFE_S = 4 * 3600
"""It ends by itself even if nobody ever comes back for it."""
NOBODY = 65534
UID_RANGE = "openshift.io/sa.scc.uid-range"
"""Annotation of a namespace in which the platform gives each pod its user; one that a pod names itself is refused."""
_POD_NAME = "statefulset.kubernetes.io/pod-name"
_WAIT = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit()); time.sleep(1e6)"


def borrowed(lender: Mapping[str, Any]) -> dict[str, Any]:
    """Return image, pull secrets and user of a pod that runs already, as its spec says.

    The status may name the image by an id that no registry knows. The last container is the service itself; a log
    reader, where there is one, comes before it (rhoso-topology 3.1).
    """
    spec = lender["spec"]
    container = spec["containers"][-1]
    users = [(place.get("securityContext") or {}).get("runAsUser") for place in (container, spec)]
    return {
        "image": container["image"],
        "pull_secrets": [entry["name"] for entry in spec.get("imagePullSecrets") or [] if entry.get("name")],
        "user": next((user for user in users if user), NOBODY),
    }


def kept_apart(inventory: Inventory) -> list[str]:
    """Return the names of the database's and the broker's pods: who measures their loss should not share their node."""
    return sorted(
        replica.name for component, replica in inventory.replicas() if component.role in (Role.DATABASE, Role.BROKER)
    )


def manifest(injection: Injection, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the pod of a prepared injection."""
    recipe: Mapping[str, Any] = injection.recipe
    user = {} if recipe.get("user") is None else {"runAsUser": recipe["user"]}
    agent = {
        "name": CONTAINER,
        "image": recipe["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", _WAIT],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": LIFE_S,
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, **user, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [agent],
    }
    if recipe.get("pull_secrets"):
        spec["imagePullSecrets"] = [{"name": name} for name in recipe["pull_secrets"]]
    if recipe.get("apart"):
        spec["affinity"] = {"podAntiAffinity": _rather_not_beside(recipe["apart"])}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": recipe["pod"],
            "namespace": recipe["namespace"],
            "labels": {**labels, "app.kubernetes.io/instance": injection.id},
        },
        "spec": spec,
    }


def _rather_not_beside(pods: list[str]) -> dict[str, Any]:
    """Return the wish for a node without these pods; where every node has one, any node will do."""
    named = {"key": _POD_NAME, "operator": "In", "values": pods}
    term = {"labelSelector": {"matchExpressions": [named]}, "topologyKey": "kubernetes.io/hostname"}
    return {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}


def why_not(pod: Mapping[str, Any] | None) -> list[str]:
    """Return what the platform says of a pod that is not ready: scheduling, image, command; empty: nothing yet."""
    if pod is None:
        return ["there is no such pod"]
    status = pod.get("status") or {}
    said = [f"{status['reason']}: {status.get('message', '')}"] if status.get("reason") else []
    said += [
        f"{condition.get('reason')}: {condition.get('message')}"
        for condition in status.get("conditions") or []
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False"
    ]
    for container in status.get("containerStatuses") or []:
        state = container.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        if waiting.get("message"):
            said.append(f"{waiting.get('reason')}: {waiting['message']}")
        if ended:
            said.append(f"ended with {ended.get('exitCode')} ({ended.get('reason')}): {ended.get('message') or ''}")
    return [" ".join(line.split())[:300] for line in said]
