"""`OpenStackControlPlane`: the resources of each part of the control plane, and one truth about all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from seatrial_lab.operators.common.conditions import condition_of, is_ready, said
from seatrial_lab.operators.common.reconciler import EVERY, Controller, Key, Round, Watch
from seatrial_lab.operators.common.resources import CONTROL_PLANE, SERVICE, STORAGE_CLASS, Json
from seatrial_lab.operators.openstack.parts import PARTS, Child, Part, children_of, is_enabled

INFRASTRUCTURE: Final = "OpenStackControlPlaneInfrastructureReady"
LOOK_AGAIN_S: Final = 5.0
EXPOSED: Final = tuple(part for part in PARTS if part.exposed)


async def reconcile(this: Round) -> None:
    """One round for one control plane."""
    for part in PARTS:
        wanted = children_of(part, this.spec)
        missing = await _missing_classes(this, wanted)
        if missing:
            message = f"OpenStackControlPlane {part.title}: StorageClass missing: {', '.join(missing)}"
            this.conditions.failed(part.condition, message)
            this.look_again(LOOK_AGAIN_S)
        else:
            _mirror(this, part, await _make(this, part, wanted))
    _infrastructure(this)
    services = await this.list(SERVICE, {"endpoint": "public"})
    for part in EXPOSED:
        _expose(this, part, [each for each in services if _labels(each).get("service") == part.exposed])


async def _missing_classes(this: Round, wanted: Iterable[Child]) -> list[str]:
    """Storage classes that resources are to have, do not have yet, and that are not there."""
    asked = set()
    for child in wanted:
        if child.storage_class:
            live = await this.get(child.resource, child.name) or {}
            if replace(child, spec=live.get("spec") or {}).storage_class != child.storage_class:
                asked.add(child.storage_class)
    return [name for name in sorted(asked) if await this.get(STORAGE_CLASS, name) is None]


async def _make(this: Round, part: Part, wanted: Sequence[Child]) -> list[Json] | None:
    """Make the resources of one part so, and remove those no longer asked for; None if the part is disabled."""
    for resource in part.resources:
        await this.prune(resource, {child.name for child in wanted if child.resource == resource})
    if not is_enabled(part, this.spec):
        return None
    return await this.apply_all(
        {
            "apiVersion": child.resource.api_version,
            "kind": child.resource.kind,
            "metadata": {"name": child.name},
            "spec": child.spec,
        }
        for child in wanted
    )


def _mirror(this: Round, part: Part, children: list[Json] | None) -> None:
    """Say of a part what its resources say of themselves."""
    if children is None:
        this.conditions.drop(part.condition)
        return
    open_ones = [child for child in children if not is_ready(child)]
    if not open_ones:
        this.conditions.true(part.condition, f"OpenStackControlPlane {part.title} completed")
        return
    told = {child["metadata"]["name"]: f"{child['metadata']['name']}: {said(child)}" for child in open_ones}
    for child in open_ones:
        if (condition_of(child) or {}).get("severity") == "Error":
            message = f"OpenStackControlPlane {part.title} error occurred: {told[child['metadata']['name']]}"
            this.conditions.failed(part.condition, message)
            return
    waits = "; ".join(told.values())
    this.conditions.waiting(part.condition, f"OpenStackControlPlane {part.title} in progress: {waits}")


def _infrastructure(this: Round) -> None:
    parts = [part for part in PARTS if part.infrastructure and is_enabled(part, this.spec)]
    pending = [part.title for part in parts if not this.conditions.is_true(part.condition)]
    if pending:
        this.conditions.waiting(INFRASTRUCTURE, f"OpenStackControlPlane Infrastructure waits for {', '.join(pending)}")
    else:
        this.conditions.true(INFRASTRUCTURE, "OpenStackControlPlane Infrastructure ready")


def _expose(this: Round, part: Part, services: list[Json]) -> None:
    """Whether a part's public Service is there, and has an address if it asks for one from outside."""
    if not is_enabled(part, this.spec):
        this.conditions.drop(part.exposure)
    elif not services:
        this.conditions.waiting(part.exposure, f"OpenStackControlPlane {part.section} service does not exist yet")
    elif any(_lacks_address(service) for service in services):
        this.conditions.waiting(part.exposure, f"OpenStackControlPlane {part.section} service has no address yet")
    else:
        this.conditions.true(part.exposure, f"OpenStackControlPlane {part.section} service exposed")


def _lacks_address(service: Json) -> bool:
    given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    return service["spec"].get("type") == "LoadBalancer" and not given


def _labels(service: Json) -> Json:
    return service["metadata"].get("labels") or {}


def _public_endpoint(service: Json) -> Iterable[Key]:
    if _labels(service).get("endpoint") == "public":
        yield service["metadata"]["namespace"], EVERY


CONTROLLER: Final = Controller(
    resource=CONTROL_PLANE,
    reconcile=reconcile,
    conditions=(*(part.condition for part in PARTS), INFRASTRUCTURE, *(part.exposure for part in EXPOSED)),
    owns=tuple(resource for part in PARTS for resource in part.resources),
    watches=(Watch(SERVICE, _public_endpoint),),
)
