"""Drift for operators to correct: objects deleted, replica counts changed; foreign keys are in `faults.config`.

Undo gives the operator its time, and then puts back by hand what the operator did not; an object that had to be put
back so carries an annotation that says it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from seatrial import waiting
from seatrial.clients.kube import Rejected
from seatrial.faults import proof, select, wholeness
from seatrial.faults.given import Given
from seatrial.model.errors import Unreachable
from seatrial.model.fault import Injection, Look, Selector
from seatrial.model.inventory import Component, Inventory
from seatrial.model.observation import Json
from seatrial.model.rights import Right, rights, watching
from seatrial.model.target import Grant

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

DELETABLE: Mapping[str, str] = {"PodDisruptionBudget": "poddisruptionbudgets.policy", "Service": "services"}
"""Kinds whose whole content may be kept in a journal, as undo needs it: they hold no secrets."""
RESTORED_BY = "seatrial/restored-by"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_KEPT_OF_METADATA = ("name", "namespace", "labels", "annotations", "ownerReferences")
_SCALABLE = ("Deployment", "StatefulSet")


@dataclass(frozen=True, slots=True)
class DeleteObject:
    """Deletes one object that an operator owns; undo waits for the operator, then puts it back itself."""

    object_kind: str
    name: str
    namespace: str
    kind: ClassVar[str] = "delete_object"
    grant: ClassVar[Grant] = Grant.DISRUPT
    one_way: ClassVar[bool] = False

    @classmethod
    def from_given(cls, given: Given) -> DeleteObject:
        """Make the fault of parameters that somebody wrote."""
        return cls(given.text("object_kind"), given.text("name"), given.text("namespace"))

    def parameters(self) -> Mapping[str, Json]:
        """Return what makes an equal fault."""
        return {"object_kind": self.object_kind, "name": self.name, "namespace": self.namespace}

    def rights(self) -> tuple[Right, ...]:
        """Return what it needs of the platform."""
        return tuple(
            Right(verb, DELETABLE[self.object_kind], namespace=self.namespace)
            for verb in ("get", "delete", "create")
            if self.object_kind in DELETABLE
        )

    def applies(self, inventory: Inventory) -> str | None:
        """Return why it may not run: a kind that may hold secrets, or an object that discovery has not seen."""
        if self.object_kind not in DELETABLE:
            return f"a {self.object_kind} is not deleted for a trial; only {', '.join(DELETABLE)}"
        if self.object_kind == "Service" and self._subject not in {service.subject for service in inventory.services}:
            return f"{self._subject} was not found in this deployment"
        return None

    @property
    def _subject(self) -> str:
        return f"{self.object_kind.lower()}/{self.namespace}/{self.name}"

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Keep what is needed to put the object back."""
        found = deployment.kube.get(self.object_kind, self.name, namespace=self.namespace)
        if found is None:
            raise Unreachable(f"{self._subject} is not there")
        recipe: dict[str, Json] = {"object": _kept(found), "uid": found["metadata"]["uid"]}
        return proof.new_injection(
            self.kind,
            self.parameters(),
            [self._subject],
            recipe,
            by_hand=[
                f"kubectl get {self.object_kind.lower()} -n {self.namespace} {self.name}; if absent, make it anew"
            ],
        )

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Delete the object, if it still is the prepared one."""
        uid = str(injection.recipe["uid"])
        deployment.kube.delete(self.object_kind, self.name, namespace=self.namespace, uid=uid)

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether the object is gone, or another one stands in its place."""
        now = _now(deployment, injection)
        uid = now["metadata"]["uid"] if now else None
        return Look(uid != injection.recipe["uid"], {"old_uid": injection.recipe["uid"], "new_uid": uid})

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Make the object from the recipe when its operator has had its time and has not made it."""
        if _now(deployment, injection) is not None or waited_s < proof.seconds(deployment, "operator_reconcile"):
            return
        try:
            deployment.kube.create(_fresh(proof.entry(injection.recipe, "object"), injection))
        except Rejected as refused:
            # Made by its operator in the very moment, which is as good.
            if refused.status != HTTPStatus.CONFLICT:
                raise

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether the object is there, and who put it back."""
        now = _now(deployment, injection)
        if now is None or now["metadata"].get("deletionTimestamp"):
            return Look(so=False, proof={"restored_by": None})
        uid = now["metadata"]["uid"]
        if uid == injection.recipe["uid"]:
            return Look(so=True, proof={"restored_by": "nobody: it was not deleted"})
        by_us = RESTORED_BY in (now["metadata"].get("annotations") or {})
        return Look(so=True, proof={"restored_by": "harness" if by_us else "operator", "new_uid": uid})


@dataclass(frozen=True, slots=True)
class SetReplicas:
    """Changes a workload's replica count behind its operator's back; undo waits for it, then sets it right."""

    component: str
    to: int
    kind: ClassVar[str] = "set_replicas"
    grant: ClassVar[Grant] = Grant.DISRUPT
    one_way: ClassVar[bool] = False

    @classmethod
    def from_given(cls, given: Given) -> SetReplicas:
        """Make the fault of parameters that somebody wrote."""
        return cls(given.text("component"), given.whole("to"))

    def parameters(self) -> Mapping[str, Json]:
        """Return what makes an equal fault."""
        return {"component": self.component, "to": self.to}

    def rights(self) -> tuple[Right, ...]:
        """Return what it needs of the platform."""
        return (*rights("get patch", "deployments.apps statefulsets.apps"), *watching())

    def applies(self, inventory: Inventory) -> str | None:
        """Return why it may not run: not exactly one workload, or a count that changes nothing."""
        found = select.components(Selector(self.component), inventory)
        if len(found) != 1:
            names = ", ".join(c.name for c in found) or "nothing"
            return f"{self.component!r} must name one workload; it names {names}"
        if found[0].kind not in _SCALABLE:
            return f"{found[0].subject} has no replica count"
        if self.to > found[0].desired and found[0].kind == "StatefulSet":
            return f"{found[0].subject} would make a member with a volume that stays behind"
        if self.to > found[0].desired + 1:
            return (
                f"{found[0].subject} has {found[0].desired} replicas: one more is enough to be drift, {self.to} is not"
            )
        if found[0].desired == self.to:
            return f"{found[0].subject} has {self.to} replicas already"
        return None

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Keep the replica count that the operator wants."""
        component = select.components(Selector(self.component), inventory)[0]
        now = deployment.kube.get(component.kind, component.name, namespace=component.namespace)
        if now is None:
            raise Unreachable(f"{component.subject} is not there any more; discover again")
        recipe: dict[str, Json] = {
            "object_kind": component.kind,
            "name": component.name,
            "namespace": component.namespace,
            "uid": now["metadata"]["uid"],
            "to": self.to,
            "before": now["spec"].get("replicas", 1),
            "generation": now["metadata"]["generation"],
            "workloads": wholeness.workloads(
                deployment, [select.Chosen(component, replica) for replica in component.replicas[:1]]
            ),
        }
        return proof.new_injection(
            self.kind,
            self.parameters(),
            [component.subject],
            recipe,
            costs={component.subject: max(0, component.desired - self.to)},
            by_hand=[f"kubectl scale {self._resource(component)} --replicas={recipe['before']}"],
        )

    @staticmethod
    def _resource(component: Component) -> str:
        return f"{component.kind.lower()} -n {component.namespace} {component.name}"

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Set the other count, if it still is the prepared object."""
        now = _now(deployment, injection)
        if now is None or now["metadata"]["uid"] != injection.recipe["uid"]:
            raise Unreachable(f"{injection.subjects[0]} is not the prepared one any more; discover again")
        _scale(deployment, injection, self.to)

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether the count was changed: a quick operator may have corrected it before anyone can look."""
        now = _now(deployment, injection)
        if now is None:
            return Look(so=False, proof={"replicas": None})
        generation = now["metadata"]["generation"]
        return Look(
            generation > _number(injection, "generation"),
            {
                "replicas": now["spec"].get("replicas"),
                "generation_before": injection.recipe["generation"],
                "generation": generation,
            },
        )

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Set the count right when its operator has had its time and has not."""
        wrong = _is_ours(_now(deployment, injection), injection)
        if wrong and waited_s >= proof.seconds(deployment, "operator_reconcile"):
            _scale(deployment, injection, _number(injection, "before"))

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether the count is no longer ours and the component whole."""
        seen = wholeness.whole(deployment, injection.recipe)
        ours = _is_ours(_now(deployment, injection), injection)
        return Look(seen.so and not ours, {**seen.proof, "replicas_as_before": not ours})


def restored(deployment: Deployment, injection: Injection, *, within_s: float) -> waiting.Polled[bool]:
    """Wait until the operator has corrected this drift, or the time is over; says whether and after how long."""

    def ask() -> bool:
        try:
            return _right(_now(deployment, injection), injection)
        except Unreachable:
            return False

    return waiting.poll(ask, bool, within_s=within_s, every_s=0.25)


def _right(now: Mapping[str, Any] | None, injection: Injection) -> bool:
    if now is None or now["metadata"].get("deletionTimestamp"):
        return False
    if "added" in injection.recipe:
        return injection.recipe["added"] not in (now.get("data") or {})
    if "before" in injection.recipe:
        return bool(now["spec"].get("replicas", 1) == injection.recipe["before"])
    return True


def _now(deployment: Deployment, injection: Injection) -> dict[str, Any] | None:
    what = {**injection.recipe, **injection.parameters}
    return deployment.kube.get(str(what["object_kind"]), str(what["name"]), namespace=str(what["namespace"]))


def _scale(deployment: Deployment, injection: Injection, replicas: int) -> None:
    recipe = injection.recipe
    kind, name, namespace = (str(recipe[key]) for key in ("object_kind", "name", "namespace"))
    deployment.kube.patch(kind, name, {"spec": {"replicas": replicas}}, namespace=namespace)


def _number(injection: Injection, key: str) -> int:
    value = injection.recipe[key]
    return value if isinstance(value, int) else 0


def _kept(found: Mapping[str, Any]) -> dict[str, Json]:
    """Return what undo needs of an object: no status, nothing of the platform's, no copy of what somebody applied."""
    metadata = {key: found["metadata"][key] for key in _KEPT_OF_METADATA if found["metadata"].get(key)}
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != _LAST_APPLIED}
    metadata |= {"annotations": annotations}
    return {key: found[key] for key in ("apiVersion", "kind", "spec") if key in found} | {"metadata": metadata}


def _fresh(kept: Mapping[str, Any], injection: Injection) -> dict[str, Any]:
    """Return the kept object as something that can be created, marked as put back by us."""
    made: dict[str, Any] = copy.deepcopy(dict(kept))
    metadata = made["metadata"]
    metadata["annotations"] = {**(metadata.get("annotations") or {}), RESTORED_BY: injection.id}
    return made


def _is_ours(now: Mapping[str, Any] | None, injection: Injection) -> bool:
    """Tell whether the count is the one that we have set; one that somebody else has set since is theirs."""
    recipe = injection.recipe
    same = now is not None and now["metadata"]["uid"] == recipe["uid"]
    return same and now is not None and now["spec"].get("replicas", 1) == recipe["to"] != recipe["before"]
