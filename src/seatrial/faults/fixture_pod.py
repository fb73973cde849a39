"""A pod of the harness's own, from which paths inside the cluster are measured."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from seatrial.faults import own_pod, proof
from seatrial.faults.given import Given
from seatrial.faults.wholeness import is_ready
from seatrial.model.access import AgentAccess
from seatrial.model.errors import NotPermitted, Unreachable
from seatrial.model.fault import Injection, Look
from seatrial.model.inventory import Inventory, Role
from seatrial.model.observation import Json
from seatrial.model.rights import Right, rights
from seatrial.model.target import Grant

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

OWN_LABELS = {
    "app.kubernetes.io/part-of": "seatrial",
    "app.kubernetes.io/name": "seatrial-agent",
    "app.kubernetes.io/managed-by": "seatrial",
}


@dataclass(frozen=True, slots=True)
class AgentPod:
    """Creates a pod with python3 that does nothing until the harness runs its agent in it; undo deletes it."""

    kind: ClassVar[str] = "agent_pod"
    grant: ClassVar[Grant] = Grant.MUTATE
    one_way: ClassVar[bool] = False

    @classmethod
    def from_given(cls, given: Given) -> AgentPod:
        """Make it of parameters that somebody wrote: it has none."""
        return cls()

    def parameters(self) -> Mapping[str, Json]:
        """Return what makes an equal one."""
        return {}

    def rights(self) -> tuple[Right, ...]:
        """Return what it needs of the platform."""
        return rights("create get delete", "pods")

    def applies(self, inventory: Inventory) -> str | None:
        """Return why it can't be made, as far as that can be known without looking at the target: never."""
        return None

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Choose a name that nobody has, the image (the target's, or that of the Keystone API) and whom to run as."""
        namespace = deployment.target.namespaces.control_plane
        # Unique, not seeded: two runs with one seed must not meet, nor a run what a killed one left behind.
        name = f"seatrial-agent-{secrets.token_hex(3)}"
        image = deployment.target.agent.image
        recipe: dict[str, Json] = {"namespace": namespace, "pod": name, "image": image, "user": own_pod.NOBODY}
        if image is None:
            recipe.update(own_pod.borrowed(_keystone(deployment, inventory)))
        if _gives_users(deployment, namespace):
            recipe["user"] = None
        recipe["apart"] = [*own_pod.kept_apart(inventory)]
        return proof.new_injection(
            self.kind,
            self.parameters(),
            [f"pod/{namespace}/{name}"],
            recipe,
            by_hand=[f"kubectl delete pod -n {namespace} {name}"],
        )

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Create the pod."""
        deployment.kube.create(own_pod.manifest(injection, OWN_LABELS))

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether the pod is ready, or what keeps it from that."""
        pod = _pod(deployment, injection)
        phase = pod["status"].get("phase") if pod else None
        if pod is not None and is_ready(pod):
            return Look(so=True, proof={"phase": phase})
        return Look(so=False, proof={"phase": phase, "why": [*(own_pod.why_not(pod) or _events(deployment, pod))]})

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Delete the pod."""
        recipe = injection.recipe
        deployment.kube.delete("Pod", proof.own_name(recipe, "pod"), namespace=str(recipe["namespace"]), grace_s=1)

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether there is no such pod."""
        return Look(_pod(deployment, injection) is None)

    def access(self, injection: Injection) -> AgentAccess:
        """Return how the pod is reached."""
        return AgentAccess(str(injection.recipe["namespace"]), str(injection.recipe["pod"]), own_pod.CONTAINER)


def _pod(deployment: Deployment, injection: Injection) -> dict[str, Any] | None:
    recipe = injection.recipe
    return deployment.kube.get("Pod", str(recipe["pod"]), namespace=str(recipe["namespace"]))


def _keystone(deployment: Deployment, inventory: Inventory) -> dict[str, Any]:
    """Return a pod of the Keystone API: its image has python3, and its nodes have the image."""
    for component in inventory.of_service("keystone"):
        for replica in component.replicas if component.role is Role.API else ():
            found = deployment.kube.get("Pod", replica.name, namespace=replica.namespace)
            if found is not None:
                return found
    raise Unreachable("no Keystone API pod to borrow an image with python3 from; set agent.image in the target")


def _gives_users(deployment: Deployment, namespace: str) -> bool:
    """Tell whether the platform itself says as whom pods of this namespace run (OpenShift)."""
    found = deployment.kube.get("Namespace", namespace) or {}
    return own_pod.UID_RANGE in ((found.get("metadata") or {}).get("annotations") or {})


def _events(deployment: Deployment, pod: Mapping[str, Any] | None) -> list[str]:
    """Return what the platform warns of, for a pod whose status says nothing; nothing where it may not be asked."""
    if pod is None:
        return []
    where = f"involvedObject.uid={pod['metadata']['uid']},type=Warning"
    try:
        found = deployment.kube.list("Event", namespace=pod["metadata"]["namespace"], fields=where)
    except (NotPermitted, Unreachable):
        return []
    told = [f"{event.get('reason')}: {event.get('message')}" for event in found]
    return [" ".join(line.split())[:300] for line in dict.fromkeys(told)][-3:]
