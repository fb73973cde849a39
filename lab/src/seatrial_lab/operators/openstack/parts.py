"""The parts of a control plane as data: which section of its specification stands for which resources.

A new service gets an entry in PARTS, a section in the CRD of OpenStackControlPlane, and a line in rbac.yaml.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from seatrial_lab.operators.common.resources import (
    DNS_MASQ,
    GALERA,
    GLANCE,
    KEYSTONE_API,
    MEMCACHED,
    NEUTRON_API,
    NOVA,
    OVN_CONTROLLER,
    OVN_DB_CLUSTER,
    OVN_NORTHD,
    PLACEMENT_API,
    RABBITMQ,
    Json,
    Resource,
)


@dataclass(frozen=True, slots=True)
class Child:
    """One resource that a control plane asks for."""

    resource: Resource
    name: str
    spec: Json

    @property
    def storage_class(self) -> str | None:
        """The class of the volumes that it asks for; None if it asks for none."""
        for path, said in LEFT_OPEN.get(self.resource, {}).items():
            if said == STORAGE_CLASS:
                asked: Any = self.spec
                for step in path.split("."):
                    asked = (asked or {}).get(step)
                return str(asked) if asked else None
        return None


@dataclass(frozen=True, slots=True)
class Part:
    """One section of the control plane's specification, and the resources it stands for."""

    section: str
    title: str
    """What conditions call it."""
    resources: tuple[Resource, ...]
    asks: Callable[[Json], Iterable[Child]]
    """The resources, from the section."""
    infrastructure: bool = False
    exposed: str | None = None
    """The label `service` of the Services by which the part is reached from outside."""

    @property
    def condition(self) -> str:
        """The condition that mirrors its resources."""
        return (
            "OpenStackControlPlaneDNSReadyCondition"
            if self.section == "dns"
            else f"OpenStackControlPlane{self.title}Ready"
        )

    @property
    def exposure(self) -> str:
        """The condition that says whether it can be reached from outside."""
        return f"OpenStackControlPlaneExpose{self.title}Ready"


def _many(resource: Resource) -> Callable[[Json], Iterator[Child]]:
    """A section that names its resources, in `templates`."""

    def children(section: Json) -> Iterator[Child]:
        for name, template in (section.get("templates") or {}).items():
            yield Child(resource, name, template or {})

    return children


def _one(resource: Resource, name: str) -> Callable[[Json], Iterator[Child]]:
    """A section that stands for one resource of a fixed name, in `template`."""

    def children(section: Json) -> Iterator[Child]:
        yield Child(resource, name, section.get("template") or {})

    return children


def _ovn(section: Json) -> Iterator[Child]:
    template = section.get("template") or {}
    for name, cluster in (template.get("ovnDBCluster") or {}).items():
        yield Child(OVN_DB_CLUSTER, name, cluster or {})
    yield Child(OVN_NORTHD, "ovnnorthd", template.get("ovnNorthd") or {})
    yield Child(OVN_CONTROLLER, "ovncontroller", template.get("ovnController") or {})


def _service(section: str, title: str, resource: Resource, *, exposed: str | None = None) -> Part:
    """A service of OpenStack with an API."""
    return Part(section, title, (resource,), _one(resource, section), exposed=exposed or section)


PARTS: Final = (
    Part("dns", "DNS", (DNS_MASQ,), _one(DNS_MASQ, "dns")),
    Part("galera", "MariaDB", (GALERA,), _many(GALERA), infrastructure=True),
    Part("rabbitmq", "RabbitMQ", (RABBITMQ,), _many(RABBITMQ), infrastructure=True),
    Part("memcached", "Memcached", (MEMCACHED,), _many(MEMCACHED), infrastructure=True),
    _service("keystone", "KeystoneAPI", KEYSTONE_API),
    _service("placement", "PlacementAPI", PLACEMENT_API),
    _service("glance", "Glance", GLANCE),
    Part("ovn", "OVN", (OVN_DB_CLUSTER, OVN_NORTHD, OVN_CONTROLLER), _ovn),
    _service("neutron", "Neutron", NEUTRON_API),
    _service("nova", "Nova", NOVA, exposed="nova-api"),
)

SECRET, STORAGE_CLASS = "secret", "storageClass"
LEFT_OPEN: Final[Mapping[Resource, Mapping[str, str]]] = {
    GALERA: {"secret": SECRET, "storageClass": STORAGE_CLASS},
    RABBITMQ: {"persistence.storageClassName": STORAGE_CLASS},
    KEYSTONE_API: {"secret": SECRET},
    PLACEMENT_API: {"secret": SECRET},
    GLANCE: {"secret": SECRET, "storage.storageClass": STORAGE_CLASS},
    OVN_DB_CLUSTER: {"storageClass": STORAGE_CLASS},
    NEUTRON_API: {"secret": SECRET},
    NOVA: {"secret": SECRET},
}
"""What a resource takes from the control plane as a whole where it leaves it open: where it goes, and what it is."""


def is_enabled(part: Part, spec: Json) -> bool:
    """Whether the control plane asks for a part; one that isn't mentioned is not asked for."""
    return bool((spec.get(part.section) or {}).get("enabled", part.section in spec))


def children_of(part: Part, spec: Json) -> list[Child]:
    """The resources of one part, with what they ask for; none if the part is disabled."""
    if not is_enabled(part, spec):
        return []
    return [_filled(child, spec) for child in part.asks(spec.get(part.section) or {})]


def _filled(child: Child, spec: Json) -> Child:
    """A resource with what it leaves to the control plane as a whole."""
    filled = dict(child.spec)
    if spec.get("nodeSelector"):
        filled.setdefault("nodeSelector", spec["nodeSelector"])
    for path, said in LEFT_OPEN.get(child.resource, {}).items():
        *outer, last = path.split(".")
        if outer:
            filled[outer[0]] = {last: spec[said], **(filled.get(outer[0]) or {})}
        else:
            filled.setdefault(last, spec[said])
    return Child(child.resource, child.name, filled)
