"""Drift for operators to correct: objects deleted, replica counts changed.

Undo gives the operator its time, and then puts back by hand what the operator did not; an object that had to be put
back so carries an annotation that says it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from seatrial import waiting
from seatrial.clients.kube import Rejected
from seatrial.faults import proof, select, wholeness
from seatrial.faults.given import Given
from seatrial.model.errors import NotPermitted, UndoFailed, Unreachable
from seatrial.model.fault import Injection, Selector
from seatrial.model.inventory import Inventory
from seatrial.model.observation import Json, Observation
from seatrial.model.target import Grant

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

DELETABLE = ("ConfigMap", "Deployment", "PodDisruptionBudget", "Service", "StatefulSet")
"""Kinds whose whole content may be kept in a journal: they hold references to secrets, not secrets."""
RESTORED_BY = "seatrial/restored-by"
_OF_THE_PLATFORM = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")
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

    def applies(self, inventory: Inventory) -> str | None:
        """Return why it may not run: a kind that may hold secrets, or an object that discovery has not seen."""
        if self.object_kind not in DELETABLE:
            return f"a {self.object_kind} is not deleted for a trial; only {', '.join(DELETABLE)}"
        known = {service.subject for service in inventory.services} | {c.subject for c in inventory.components}
        if self.object_kind in ("Service", *_SCALABLE) and self._subject not in known:
            return f"{self._subject} was not found in this deployment"
        return None

    @property
    def _subject(self) -> str:
        return f"{self.object_kind.lower()}/{self.namespace}/{self.name}"

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Keep the whole object, so that it can be put back."""
        _refuse_protected(deployment, self.name)
        found = deployment.kube.get(self.object_kind, self.name, namespace=self.namespace)
        if found is None:
            raise Unreachable(f"{self._subject} is not there")
        recipe: dict[str, Json] = {"object": found, "uid": found["metadata"]["uid"]}
        return proof.new_injection(self.kind, self.parameters(), [self._subject], recipe)

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Delete the object, if it still is the prepared one."""
        uid = str(injection.recipe["uid"])
        deployment.kube.delete(self.object_kind, self.name, namespace=self.namespace, uid=uid)

    def took_hold(self, deployment: Deployment, injection: Injection) -> Observation:
        """Prove that the object is gone, or that another one stands in its place."""

        def ask() -> tuple[bool, proof.Proof]:
            now = _now(deployment, injection)
            uid = now["metadata"]["uid"] if now else None
            return uid != injection.recipe["uid"], {"old_uid": injection.recipe["uid"], "new_uid": uid}

        return proof.took_hold(injection, lambda: proof.eventually(deployment, "proof", ask, every_s=0.1))

    def undo(self, deployment: Deployment, injection: Injection) -> None:
        """Wait for the operator to make the object again; make it from the recipe when that takes too long."""
        if restored(deployment, injection, within_s=proof.seconds(deployment, "operator_reconcile")).met:
            return
        manifest = _fresh(proof.entry(injection.recipe, "object"), injection)
        try:
            deployment.kube.create(manifest)
        except Rejected as refused:
            # Made by its operator in the very moment, which is as good.
            if _now(deployment, injection) is None:
                raise UndoFailed(f"{injection.subjects[0]} could not be put back: {refused}") from refused

    def is_gone(self, deployment: Deployment, injection: Injection) -> Observation:
        """Prove that the object is there again, and a workload's instances too; says who put it back."""
        return proof.is_gone(
            injection, lambda: proof.eventually(deployment, "repair", lambda: self._whole(injection, deployment))
        )

    def _whole(self, injection: Injection, deployment: Deployment) -> tuple[bool, proof.Proof]:
        now = _now(deployment, injection)
        if now is None or now["metadata"]["uid"] == injection.recipe["uid"]:
            return now is not None, {"restored_by": "nobody: it was not deleted" if now else None}
        by_us = RESTORED_BY in (now["metadata"].get("annotations") or {})
        seen: proof.Proof = {"restored_by": "harness" if by_us else "operator", "new_uid": now["metadata"]["uid"]}
        if self.object_kind not in _SCALABLE:
            return True, seen
        status = now.get("status") or {}
        desired = now["spec"].get("replicas", 1)
        return status.get("readyReplicas", 0) >= desired, {**seen, "ready": status.get("readyReplicas", 0)}


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

    def applies(self, inventory: Inventory) -> str | None:
        """Return why it may not run: not exactly one workload, or a count that changes nothing."""
        found = select.components(Selector(self.component), inventory)
        if len(found) != 1:
            names = ", ".join(c.name for c in found) or "nothing"
            return f"{self.component!r} must name one workload; it names {names}"
        if found[0].kind not in _SCALABLE:
            return f"{found[0].subject} has no replica count"
        if found[0].desired == self.to:
            return f"{found[0].subject} has {self.to} replicas already"
        return None

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Keep the replica count that the operator wants."""
        component = select.components(Selector(self.component), inventory)[0]
        _refuse_protected(deployment, component.name)
        now = deployment.kube.get(component.kind, component.name, namespace=component.namespace)
        if now is None:
            raise Unreachable(f"{component.subject} is not there any more; discover again")
        lost = component.desired - self.to
        allowed = deployment.target.limits.allowed(component.name)
        if lost > allowed:
            raise NotPermitted(f"{lost} of {component.name} would be down at once; limits.max_down allows {allowed}")
        recipe: dict[str, Json] = {
            "object_kind": component.kind,
            "name": component.name,
            "namespace": component.namespace,
            "before": now["spec"].get("replicas", 1),
            "generation": now["metadata"]["generation"],
            "workloads": wholeness.workloads(
                deployment, [select.Chosen(component, replica) for replica in component.replicas[:1]]
            ),
        }
        return proof.new_injection(self.kind, self.parameters(), [component.subject], recipe)

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Set the other count."""
        _scale(deployment, injection, self.to)

    def took_hold(self, deployment: Deployment, injection: Injection) -> Observation:
        """Prove that the count was changed: a quick operator may have corrected it before anyone can look."""

        def ask() -> tuple[bool, proof.Proof]:
            now = _now(deployment, injection)
            if now is None:
                return False, {"replicas": None}
            generation = now["metadata"]["generation"]
            return generation > _number(injection, "generation"), {
                "replicas": now["spec"].get("replicas"),
                "generation_before": injection.recipe["generation"],
                "generation": generation,
            }

        return proof.took_hold(injection, lambda: proof.eventually(deployment, "proof", ask, every_s=0.1))

    def undo(self, deployment: Deployment, injection: Injection) -> None:
        """Wait for the operator to set the count right; set it when that takes too long."""
        if not restored(deployment, injection, within_s=proof.seconds(deployment, "operator_reconcile")).met:
            _scale(deployment, injection, _number(injection, "before"))
        wholeness.wait_whole(deployment, injection)

    def is_gone(self, deployment: Deployment, injection: Injection) -> Observation:
        """Prove that the count is what it was and the component whole."""

        def ask() -> tuple[bool, proof.Proof]:
            met, seen = wholeness.whole(deployment, injection.recipe)
            right = _right(_now(deployment, injection), injection)
            return met and right, {**seen, "replicas_as_before": right}

        return proof.is_gone(injection, ask)


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


def _fresh(manifest: Mapping[str, Any], injection: Injection) -> dict[str, Any]:
    """Return the kept object as something that can be created, marked as put back by us."""
    made: dict[str, Any] = copy.deepcopy({key: value for key, value in manifest.items() if key != "status"})
    metadata = made["metadata"]
    for key in _OF_THE_PLATFORM:
        metadata.pop(key, None)
    metadata["annotations"] = {**(metadata.get("annotations") or {}), RESTORED_BY: injection.id}
    return made


def _refuse_protected(deployment: Deployment, name: str) -> None:
    if name in deployment.target.limits.protected:
        raise NotPermitted(f"{name} is protected by the target's owner")
