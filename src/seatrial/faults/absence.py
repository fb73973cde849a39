"""Components that are gone until they are put back: scaled to nothing, those that would restore the others first.

This needs no shell in the container and no init above the daemon, so it reaches what signals can't (the operators of a
real deployment are single binaries in images that hold nothing else), and it lasts: nobody starts them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from seatrial import waiting
from seatrial.faults import proof, select, wholeness
from seatrial.faults.given import Given, of_selector
from seatrial.model.errors import NotPermitted, Unreachable
from seatrial.model.fault import Injection, Look, Pick, Selector
from seatrial.model.inventory import Component, Inventory
from seatrial.model.observation import Json
from seatrial.model.rights import Right, rights, watching
from seatrial.model.target import Grant

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

_SCALABLE = ("Deployment", "StatefulSet")


@dataclass(frozen=True, slots=True)
class ScaleAway:
    """Scales all selected workloads to 0 and waits until their pods are gone; undo gives them their counts back."""

    selector: Selector
    kind: ClassVar[str] = "scale_away"
    grant: ClassVar[Grant] = Grant.DISRUPT
    one_way: ClassVar[bool] = False

    @classmethod
    def from_given(cls, given: Given) -> ScaleAway:
        """Make the fault of parameters that somebody wrote."""
        return cls(given.selector())

    def parameters(self) -> Mapping[str, Json]:
        """Return what makes an equal fault."""
        return of_selector(self.selector)

    def rights(self) -> tuple[Right, ...]:
        """Return what it needs of the platform."""
        return (
            *rights("get patch", "deployments.apps statefulsets.apps", where := select.place(self.selector)),
            *watching(where),
        )

    def applies(self, inventory: Inventory) -> str | None:
        """Return why it may not run: less than all is asked for, or something that can't be scaled."""
        if self.selector.pick is not Pick.ALL:
            return f"a workload is scaled away whole: pick {Pick.ALL.value!r}, not {self.selector.pick.value!r}"
        refusal = select.reason(self.selector, inventory)
        if refusal is not None:
            return refusal
        for component in select.components(self.selector, inventory):
            if component.kind not in _SCALABLE:
                return f"{component.subject} can't be scaled"
        return None

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Keep every workload's replica count, in the order in which they have to go."""
        resolved = select.resolve(self.selector, inventory, seed=seed, limits=deployment.target.limits)
        # What is meant to have no instance (the operator of a disabled service) is away already.
        chosen = [one for one in resolved if one.component.desired > 0]
        found = {one.component.subject: one.component for one in chosen}
        ordered = sorted(found.values(), key=_restorers_first)
        workloads = {str(entry["name"]): entry for entry in _entries(wholeness.workloads(deployment, chosen))}
        kept = [workloads[component.name] for component in ordered]
        return proof.new_injection(
            self.kind,
            self.parameters(),
            [one.replica.subject for one in chosen],
            {"workloads": list(kept)},
            by_hand=[
                f"kubectl scale {w['kind'].lower()} -n {w['namespace']} {w['name']} --replicas={w['desired']}"
                for w in reversed(kept)
            ],
        )

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Scale one after the other, each only when the one before has no pod left that could restore it."""
        limit = proof.seconds(deployment, "repair")
        for workload in proof.entries(injection.recipe, "workloads"):
            if not _is_prepared(_now(deployment, workload), workload):
                raise Unreachable(f"{workload['name']} is not the prepared one any more; discover again")
            _scale(deployment, workload, 0)
            waited = waiting.poll(lambda w=workload: not _present(deployment, w), bool, within_s=limit)  # type: ignore[misc]
            if not waited.met:
                raise Unreachable(f"the pods of {workload['name']} do not go away")

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether no selected workload has a pod."""
        left = [w["name"] for w in proof.entries(injection.recipe, "workloads") if _present(deployment, w)]
        return Look(not left, {"still_there": left})

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Give the counts back, last first, where they are 0; a count that somebody else has set since is theirs."""
        for workload in reversed(proof.entries(injection.recipe, "workloads")):
            if _is_away(_now(deployment, workload), workload):
                _scale(deployment, workload, workload["desired"])

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether every workload has its count back and is whole."""
        entries = proof.entries(injection.recipe, "workloads")
        away = [w["name"] for w in entries if _is_away(_now(deployment, w), w)]
        seen = wholeness.whole(deployment, injection.recipe)
        return Look(seen.so and not away, {**seen.proof, "still_away": away})


def _restorers_first(component: Component) -> tuple[bool, bool, str]:
    """Order by who would put whom back: what nobody owns, then the meta-operator, then the rest."""
    return (
        bool(component.owners),
        component.service != "openstack" and "openstack" not in component.name,
        component.name,
    )


def _present(deployment: Deployment, workload: Mapping[str, Any]) -> bool:
    return bool(wholeness.members(deployment, workload, leaving=True))


def _now(deployment: Deployment, workload: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return deployment.kube.get(workload["kind"], workload["name"], namespace=workload["namespace"])


def _is_prepared(now: Mapping[str, Any] | None, workload: Mapping[str, Any]) -> bool:
    """Tell whether it still is the object that was prepared: one of the same name may be another by now."""
    return now is not None and now["metadata"]["uid"] == workload.get("uid", now["metadata"]["uid"])


def _is_away(now: Mapping[str, Any] | None, workload: Mapping[str, Any]) -> bool:
    return now is not None and _is_prepared(now, workload) and now["spec"].get("replicas") == 0


def _scale(deployment: Deployment, workload: Mapping[str, Any], replicas: int) -> None:
    if workload["kind"] not in _SCALABLE:
        raise NotPermitted(f"a {workload['kind']} can't be scaled")
    patch = {"spec": {"replicas": replicas}}
    deployment.kube.patch(workload["kind"], workload["name"], patch, namespace=workload["namespace"])


def _entries(workloads: list[Json]) -> list[dict[str, Any]]:
    return [entry for entry in workloads if isinstance(entry, dict)]
