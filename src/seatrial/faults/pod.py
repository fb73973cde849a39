"""Pods lost at once, as when their node dies: deleted without a grace period."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from seatrial.faults import proof, select, wholeness
from seatrial.faults.given import Given, of_selector
from seatrial.model.fault import Injection, Selector
from seatrial.model.inventory import Inventory
from seatrial.model.observation import Json, Observation
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
        return proof.new_injection(self.kind, self.parameters(), [one.replica.subject for one in chosen], recipe)

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Delete exactly the prepared pods: one that was replaced meanwhile has another uid and is left alone."""
        for pod in proof.entries(injection.recipe, "pods"):
            deployment.kube.delete("Pod", pod["name"], namespace=pod["namespace"], grace_s=0, uid=pod["uid"])

    def took_hold(self, deployment: Deployment, injection: Injection) -> Observation:
        """Prove that no pod with a prepared uid exists any more."""

        def ask() -> tuple[bool, proof.Proof]:
            seen = _now(deployment, injection)
            return all(new != old for _, old, new in seen), {"pods": _told(seen)}

        return proof.took_hold(injection, lambda: proof.eventually(deployment, "proof", ask))

    def undo(self, deployment: Deployment, injection: Injection) -> None:
        """Wait until the components are whole again without the deleted pods."""
        wholeness.wait_whole(deployment, injection, replaced=_uids(injection))

    def is_gone(self, deployment: Deployment, injection: Injection) -> Observation:
        """Prove that every component has all its instances, and none of them is a deleted one."""

        def ask() -> tuple[bool, proof.Proof]:
            met, seen = wholeness.whole(deployment, injection.recipe, replaced=_uids(injection))
            return met, {**seen, "pods": _told(_now(deployment, injection))}

        return proof.is_gone(injection, ask)


def _uids(injection: Injection) -> frozenset[str]:
    return frozenset(pod["uid"] for pod in proof.entries(injection.recipe, "pods"))


def _now(deployment: Deployment, injection: Injection) -> list[tuple[str, str, str | None]]:
    """Return (name, uid before, uid now) of each prepared pod's name."""
    seen: list[tuple[str, str, str | None]] = []
    for pod in proof.entries(injection.recipe, "pods"):
        manifest = deployment.kube.get("Pod", pod["name"], namespace=pod["namespace"])
        seen.append((pod["name"], pod["uid"], manifest["metadata"]["uid"] if manifest else None))
    return seen


def _told(seen: list[tuple[str, str, str | None]]) -> list[Json]:
    return [{"pod": name, "old_uid": old, "new_uid": new} for name, old, new in seen]
