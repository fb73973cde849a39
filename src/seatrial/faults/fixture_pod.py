"""A pod of the harness's own, from which paths inside the cluster are measured."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from seatrial.faults import proof
from seatrial.faults.given import Given
from seatrial.faults.wholeness import is_ready
from seatrial.model.access import AgentAccess
from seatrial.model.errors import Unreachable
from seatrial.model.fault import Injection, Look
from seatrial.model.inventory import Inventory, Role
from seatrial.model.observation import Json
from seatrial.model.rights import Right, rights
from seatrial.model.target import Grant

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

OWN_LABELS = {"app.kubernetes.io/part-of": "seatrial", "app.kubernetes.io/name": "seatrial-agent"}
CONTAINER = "agent"
_LIFE_S = 4 * 3600
_WAIT = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit()); time.sleep(1e6)"


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
        """Choose a name that nobody has, and the image: the target's, or that of the Keystone API."""
        namespace = deployment.target.namespaces.control_plane
        # Unique, not seeded: two runs with one seed must not meet, nor a run what a killed one left behind.
        name = f"seatrial-agent-{secrets.token_hex(3)}"
        recipe: dict[str, Json] = {
            "namespace": namespace,
            "pod": name,
            "image": deployment.target.agent.image or _keystone_image(inventory),
        }
        return proof.new_injection(
            self.kind,
            self.parameters(),
            [f"pod/{namespace}/{name}"],
            recipe,
            by_hand=[f"kubectl delete pod -n {namespace} {name}"],
        )

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Create the pod."""
        deployment.kube.create(_manifest(injection.recipe))

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether the pod is ready."""
        pod = _pod(deployment, injection)
        return Look(pod is not None and is_ready(pod), {"phase": pod["status"].get("phase") if pod else None})

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Delete the pod."""
        recipe = injection.recipe
        deployment.kube.delete("Pod", proof.own_name(recipe, "pod"), namespace=str(recipe["namespace"]), grace_s=1)

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether there is no such pod."""
        return Look(_pod(deployment, injection) is None)

    def access(self, injection: Injection) -> AgentAccess:
        """Return how the pod is reached."""
        return AgentAccess(str(injection.recipe["namespace"]), str(injection.recipe["pod"]), CONTAINER)


def _pod(deployment: Deployment, injection: Injection) -> dict[str, Any] | None:
    recipe = injection.recipe
    return deployment.kube.get("Pod", str(recipe["pod"]), namespace=str(recipe["namespace"]))


def _keystone_image(inventory: Inventory) -> str:
    for component in inventory.of_service("keystone"):
        if component.role is Role.API:
            for replica in component.replicas:
                for container in replica.containers:
                    if container.image:
                        return container.image
    raise Unreachable("no Keystone API pod to borrow an image with python3 from; set agent.image in the target")


def _manifest(recipe: Mapping[str, Json]) -> dict[str, Any]:
    agent: dict[str, Any] = {
        "name": CONTAINER,
        "image": recipe["image"],
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", _WAIT],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": recipe["pod"], "namespace": recipe["namespace"], "labels": dict(OWN_LABELS)},
        "spec": {
            "restartPolicy": "Never",
            # It ends by itself even if nobody ever comes back for it.
            "activeDeadlineSeconds": _LIFE_S,
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "containers": [agent],
        },
    }
