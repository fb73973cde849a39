"""Pods lost at once, as when their node dies: deleted without a grace period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from seatrial.faults import proof, select, wholeness
from seatrial.faults.given import Given, of_selector
from seatrial.model.fault import Injection, Look, Selector
from seatrial.model.inventory import Inventory
from seatrial.model.observation import Json
from seatrial.model.rights import Right, rights, watching
from seatrial.model.target import Grant

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Deletes pods with a grace period of 0; undo waits until their controller has put others in their place."""

    selector: Selector
    kind: ClassVar[str] = "delete_pod"
    grant: ClassVar[Grant] = Grant.DISRUPT
    one_way: ClassVar[bool] = True

    @classmethod
    def from_given(cls, given: Given) -> DeletePod:
        """Make the fault of parameters that somebody wrote."""
        return cls(given.selector())

    def parameters(self) -> Mapping[str, Json]:
        """Return what makes an equal fault."""
        return of_selector(self.selector)

    def rights(self) -> tuple[Right, ...]:
        """Return what it needs of the platform."""
        return (*rights("delete", "pods", where := select.place(self.selector)), *watching(where))

    def applies(self, inventory: Inventory) -> str | None:
        """Return why it may not run: nothing to select, or pods that nobody would put back."""
        refusal = select.reason(self.selector, inventory)
        if refusal is not None:
            return refusal
        for component in select.components(self.selector, inventory):
            if component.kind not in select.SELF_HEALING:
                return f"nobody puts a deleted pod of {component.subject} back: its kind is {component.kind}"
        return None

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Resolve the pods, with their uids, and how their components look when whole."""
        chosen = select.resolve(self.selector, inventory, seed=seed, limits=deployment.target.limits)
        pods: list[Json] = [
            {"namespace": one.replica.namespace, "name": one.replica.name, "uid": one.replica.uid} for one in chosen
        ]
        recipe: dict[str, Json] = {"pods": pods, "workloads": wholeness.workloads(deployment, chosen)}
        return proof.new_injection(
            self.kind,
            self.parameters(),
            [one.replica.subject for one in chosen],
            recipe,
            by_hand=wholeness.by_hand(recipe),
        )

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Delete exactly the prepared pods: one that was replaced meanwhile has another uid and is left alone."""
        for pod in proof.entries(injection.recipe, "pods"):
            deployment.kube.delete("Pod", pod["name"], namespace=pod["namespace"], grace_s=0, uid=pod["uid"])

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether no pod with a prepared uid exists any more."""
        seen = _now(deployment, injection)
        return Look(all(new != old for _, old, new in seen), {"pods": _told(seen)})

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Do nothing: their controller puts others in their place."""

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether every component has all its instances; a pod that still is there was not deleted."""
        seen = wholeness.whole(deployment, injection.recipe)
        return Look(seen.so, {**seen.proof, "pods": _told(_now(deployment, injection))})


def _now(deployment: Deployment, injection: Injection) -> list[tuple[str, str, str | None]]:
    """Return (name, uid before, uid now) of each prepared pod's name."""
    seen: list[tuple[str, str, str | None]] = []
    for pod in proof.entries(injection.recipe, "pods"):
        manifest = deployment.kube.get("Pod", pod["name"], namespace=pod["namespace"])
        seen.append((pod["name"], pod["uid"], manifest["metadata"]["uid"] if manifest else None))
    return seen


def _told(seen: list[tuple[str, str, str | None]]) -> list[Json]:
    return [{"pod": name, "old_uid": old, "new_uid": new} for name, old, new in seen]
