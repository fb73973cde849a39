"""A key that nobody reads, in a ConfigMap that an operator keeps: the gentlest drift there is.

What is in a ConfigMap is never kept: it may hold passwords. Only our own key is ever written or removed.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from seatrial.faults import proof
from seatrial.faults.given import Given
from seatrial.model.errors import BadInput, NotPermitted, Problem, Unreachable
from seatrial.model.fault import Injection, Look
from seatrial.model.inventory import Inventory
from seatrial.model.observation import Json
from seatrial.model.rights import Right
from seatrial.model.target import Grant

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

KIND = "ConfigMap"
_VALUE = "# put here by seatrial, to see whether the operator takes it away; it may be deleted\n"
"""A comment to whatever may read a whole folder of such files."""
_OWN_KEY = re.compile(r"seatrial-canary-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class AlterConfigMap:
    """Adds a key of our own to a ConfigMap that an operator keeps; undo takes that key away, and nothing else."""

    name: str
    namespace: str
    kind: ClassVar[str] = "alter_configmap"
    grant: ClassVar[Grant] = Grant.DISRUPT
    one_way: ClassVar[bool] = False

    @classmethod
    def from_given(cls, given: Given) -> AlterConfigMap:
        """Make the fault of parameters that somebody wrote."""
        return cls(given.text("name"), given.text("namespace"))

    def parameters(self) -> Mapping[str, Json]:
        """Return what makes an equal fault."""
        return {"name": self.name, "namespace": self.namespace}

    def rights(self) -> tuple[Right, ...]:
        """Return what it needs of the platform."""
        return tuple(Right(verb, "configmaps", namespace=self.namespace) for verb in ("get", "patch"))

    def applies(self, inventory: Inventory) -> str | None:
        """Return None: an inventory knows no ConfigMaps; ``prepare`` looks whether this one can be tried."""
        return None

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Give the key its name; raises NotPermitted for a ConfigMap that nobody keeps, or that can't be changed."""
        found = deployment.kube.get(KIND, self.name, namespace=self.namespace)
        subject = f"configmap/{self.namespace}/{self.name}"
        if found is None:
            raise Unreachable(f"{subject} is not there")
        metadata = found["metadata"]
        if not any(reference.get("controller") for reference in metadata.get("ownerReferences") or []):
            raise NotPermitted(f"{subject} is kept by no operator: a change of it is no drift")
        if found.get("immutable"):
            raise NotPermitted(f"{subject} is immutable")
        key = f"seatrial-canary-{uuid.uuid4().hex[:8]}"
        recipe: dict[str, Json] = {
            "object_kind": KIND,
            "name": self.name,
            "namespace": self.namespace,
            "uid": metadata["uid"],
            "version": metadata["resourceVersion"],
            "added": key,
        }
        removal = f"""'{{"data":{{"{key}":null}}}}'"""
        by_hand = f"kubectl patch configmap -n {self.namespace} {self.name} --type=merge -p {removal}"
        # It costs no instance: no pod reads the key.
        return proof.new_injection(
            self.kind, self.parameters(), [subject], recipe, costs={subject: 0}, by_hand=[by_hand]
        )

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Add the key, if it still is the prepared ConfigMap: the platform refuses another uid."""
        _write(deployment, injection, {"metadata": {"uid": injection.recipe["uid"]}, "data": {_key(injection): _VALUE}})

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether the ConfigMap was changed: a quick operator may have corrected it before anyone can look."""
        now = _now(deployment, injection)
        there = _key(injection) in _data(now)
        version = now["metadata"]["resourceVersion"] if now is not None else None
        changed = version not in (None, injection.recipe["version"])
        return Look(there or changed, {"key_there": there, "changed": changed})

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Take the key away, without waiting for the operator: it is ours."""
        if _key(injection) in _data(_now(deployment, injection)):
            _write(deployment, injection, {"data": {_key(injection): None}})

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether the key is not there, be it that the whole ConfigMap is not."""
        there = _key(injection) in _data(_now(deployment, injection))
        return Look(not there, {"key_there": there})


def _key(injection: Injection) -> str:
    """Return the key that we have put there; raises BadInput for any other name: that one would be somebody else's."""
    key = injection.recipe.get("added")
    if not isinstance(key, str) or not _OWN_KEY.fullmatch(key):
        raise BadInput([Problem("recipe.added", repr(key), "a key that seatrial has named (seatrial-canary-<8 hex>)")])
    return key


def _now(deployment: Deployment, injection: Injection) -> dict[str, Any] | None:
    recipe = injection.recipe
    return deployment.kube.get(KIND, str(recipe["name"]), namespace=str(recipe["namespace"]))


def _data(now: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return (now or {}).get("data") or {}


def _write(deployment: Deployment, injection: Injection, change: Mapping[str, Any]) -> None:
    recipe = injection.recipe
    deployment.kube.patch(KIND, str(recipe["name"]), change, namespace=str(recipe["namespace"]))
