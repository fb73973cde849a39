"""`OpenStackControlPlane`: one resource for each part of the control plane, and one truth about all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from seatrial_lab.operators.common.conditions import condition_of, is_ready
from seatrial_lab.operators.common.kube import controller_of
from seatrial_lab.operators.common.reconciler import EVERY, Controller, Key, Round, Watch
from seatrial_lab.operators.common.resources import (
    CONTROL_PLANE,
    GALERA,
    KEYSTONE_API,
    MEMCACHED,
    RABBITMQ,
    SERVICE,
    Json,
    Resource,
)

INFRASTRUCTURE, EXPOSED = "OpenStackControlPlaneInfrastructureReady", "OpenStackControlPlaneExposeKeystoneAPIReady"
PUBLIC_KEYSTONE: Final = {"service": "keystone", "endpoint": "public"}


@dataclass(frozen=True, slots=True)
class Part:
    """One section of the control plane's specification, and the kind of resource it stands for."""

    section: str
    resource: Resource
    title: str
    infrastructure: bool

    @property
    def condition(self) -> str:
        """The condition that mirrors its resources."""
        return f"OpenStackControlPlane{self.title}Ready"


KEYSTONE: Final = Part("keystone", KEYSTONE_API, "KeystoneAPI", infrastructure=False)
PARTS: Final = (
    Part("galera", GALERA, "MariaDB", infrastructure=True),
    Part("rabbitmq", RABBITMQ, "RabbitMQ", infrastructure=True),
    Part("memcached", MEMCACHED, "Memcached", infrastructure=True),
    KEYSTONE,
)


def is_enabled(part: Part, spec: Json) -> bool:
    """Whether the control plane asks for a part; one that isn't mentioned is not asked for."""
    return bool((spec.get(part.section) or {}).get("enabled", part.section in spec))


def children_of(part: Part, spec: Json) -> dict[str, Json]:
    """The resources of one part, by name, with what they ask for; none if the part is disabled."""
    section = spec.get(part.section) or {}
    if not is_enabled(part, spec):
        return {}
    keystone = {"keystone": section.get("template") or {}}
    templates = keystone if part is KEYSTONE else section.get("templates") or {}
    return {name: _filled(part, template or {}, spec) for name, template in templates.items()}


def _filled(part: Part, template: Json, spec: Json) -> Json:
    """A template with what it leaves to the control plane as a whole."""
    filled = dict(template)
    if spec.get("nodeSelector"):
        filled.setdefault("nodeSelector", spec["nodeSelector"])
    if part.section in ("galera", "keystone"):
        filled.setdefault("secret", spec["secret"])
    if part.section == "galera":
        filled.setdefault("storageClass", spec["storageClass"])
    if part.section == "rabbitmq":
        filled["persistence"] = {"storageClassName": spec["storageClass"], **(filled.get("persistence") or {})}
    return filled


async def reconcile(this: Round) -> None:
    """One round for one control plane."""
    for part in PARTS:
        _mirror(this, part, await _make(this, part))
    _infrastructure(this)
    await _exposed(this)


async def _make(this: Round, part: Part) -> list[Json] | None:
    """Make the resources of one part so, and remove those no longer asked for; None if the part is disabled."""
    wanted = children_of(part, this.spec)
    for child in await this.list(part.resource, {}):
        owner, name = controller_of(child), child["metadata"]["name"]
        if owner is not None and owner["uid"] == this.cr["metadata"]["uid"] and name not in wanted:
            await this.kube.delete(part.resource, name, namespace=this.namespace, uid=child["metadata"]["uid"])
    if not is_enabled(part, this.spec):
        return None
    return await this.apply_all(
        {
            "apiVersion": part.resource.api_version,
            "kind": part.resource.kind,
            "metadata": {"name": name},
            "spec": spec,
        }
        for name, spec in wanted.items()
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
    said = []
    for child in open_ones:
        condition = condition_of(child) or {}
        said.append(f"{child['metadata']['name']}: {condition.get('message') or 'not looked at yet'}")
        if condition.get("severity") == "Error":
            message = f"OpenStackControlPlane {part.title} error occurred: {said[-1]}"
            this.conditions.failed(part.condition, message)
            return
    this.conditions.waiting(part.condition, f"OpenStackControlPlane {part.title} in progress: {'; '.join(said)}")


def _infrastructure(this: Round) -> None:
    parts = [
        part for part in PARTS if part.infrastructure and (this.spec.get(part.section) or {}).get("enabled", False)
    ]
    pending = [part.title for part in parts if not this.conditions.is_true(part.condition)]
    if pending:
        this.conditions.waiting(INFRASTRUCTURE, f"OpenStackControlPlane Infrastructure waits for {', '.join(pending)}")
    else:
        this.conditions.true(INFRASTRUCTURE, "OpenStackControlPlane Infrastructure ready")


async def _exposed(this: Round) -> None:
    """Whether Keystone's public Service is there, and has an address if it asks for one from outside."""
    if not is_enabled(KEYSTONE, this.spec):
        this.conditions.drop(EXPOSED)
        return
    services = await this.list(SERVICE, PUBLIC_KEYSTONE)
    if not services:
        this.conditions.waiting(EXPOSED, "OpenStackControlPlane keystone service does not exist yet")
    elif any(_lacks_address(service) for service in services):
        this.conditions.waiting(EXPOSED, "OpenStackControlPlane keystone service has no address yet")
    else:
        this.conditions.true(EXPOSED, "OpenStackControlPlane keystone service exposed")


def _lacks_address(service: Json) -> bool:
    given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    return service["spec"].get("type") == "LoadBalancer" and not given


def _public_endpoint(service: Json) -> Iterable[Key]:
    labels = service["metadata"].get("labels") or {}
    if all(labels.get(key) == value for key, value in PUBLIC_KEYSTONE.items()):
        yield service["metadata"]["namespace"], EVERY


CONTROLLER: Final = Controller(
    resource=CONTROL_PLANE,
    reconcile=reconcile,
    conditions=(*(part.condition for part in PARTS), INFRASTRUCTURE, EXPOSED),
    owns=tuple(part.resource for part in PARTS),
    watches=(Watch(SERVICE, _public_endpoint),),
)
