"""What a deployment consists of, as one immutable snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What a component is for."""

    API = "api"
    DATABASE = "database"
    BROKER = "broker"
    CACHE = "cache"
    WORKER = "worker"
    CLIENT = "client"
    JOB = "job"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Owner:
    """One controller in the chain above an object."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod, as the platform reports it."""

    name: str
    ready: bool
    restarts: int
    image: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Replica:
    """One pod of a component."""

    name: str
    namespace: str
    uid: str
    node: str
    ip: str
    ready: bool
    phase: str
    containers: tuple[Container, ...]
    started_at: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """Return how observations and verdicts name it."""
        return f"pod/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a service (or of its infrastructure) with all its replicas."""

    service: str
    """The OpenStack or infrastructure service it belongs to: ``keystone``, ``galera``, ``rabbitmq``, ``memcached``."""
    name: str
    """The workload's name, for example ``openstack-galera``."""
    kind: str
    """Deployment, StatefulSet, DaemonSet, Job, or Pod for one that no controller made."""
    namespace: str
    role: Role
    desired: int
    replicas: tuple[Replica, ...]
    owners: tuple[Owner, ...]
    """From the nearest controller to the top of the chain."""
    cell: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """Return how observations and verdicts name it."""
        return f"{self.kind.lower()}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Port:
    """One port of a Service."""

    name: str
    port: int
    target: str
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True)
class ServiceObject:
    """One Kubernetes Service: its addresses, and the pods behind it right now."""

    name: str
    namespace: str
    service: str
    """The OpenStack or infrastructure service whose pods it selects, as far as known; else empty."""
    type: str
    cluster_ip: str
    external_ips: tuple[str, ...]
    ports: tuple[Port, ...]
    selector: Mapping[str, str]
    backends: tuple[str, ...]
    """Names of the ready pods behind it."""
    labels: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[Owner, ...] = ()

    @property
    def subject(self) -> str:
        """Return how observations and verdicts name it."""
        return f"service/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of ``status.conditions``."""

    type: str
    status: str
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """One custom resource of the deployment: OpenStackControlPlane, Galera, KeystoneAPI, ..."""

    kind: str
    name: str
    namespace: str
    uid: str
    generation: int
    observed_generation: int | None
    replicas: int | None
    conditions: tuple[Condition, ...]
    owners: tuple[Owner, ...]
    spec: Mapping[str, object] = field(default_factory=dict)
    """Selected fields that checks need; never a secret."""
    status: Mapping[str, object] = field(default_factory=dict)
    api_version: str = ""

    @property
    def subject(self) -> str:
        """Return how observations and verdicts name it."""
        return f"{self.kind.lower()}/{self.namespace}/{self.name}"

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of this type, if it is reported."""
        return next((c for c in self.conditions if c.type == kind), None)


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator's Deployment, and who owns it."""

    name: str
    """Of the operator: ``mariadb``, ``keystone``, ``openstack`` (the meta-operator)."""
    component: Component
    owner: Owner | None


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the platform."""

    name: str
    ip: str
    ready: bool
    schedulable: bool = True


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that could not be read, and why."""

    subject: str
    why: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that discovery found, and what it could not find out."""

    taken_at: datetime
    nodes: tuple[Node, ...]
    components: tuple[Component, ...]
    services: tuple[ServiceObject, ...]
    resources: tuple[Resource, ...]
    operators: tuple[Operator, ...]
    gaps: tuple[Gap, ...]

    def of_service(self, service: str) -> tuple[Component, ...]:
        """Return the components of one service."""
        return tuple(c for c in self.components if c.service == service)

    def of_role(self, role: Role) -> tuple[Component, ...]:
        """Return the components with one role."""
        return tuple(c for c in self.components if c.role is role)

    def of_kind(self, kind: str) -> tuple[Resource, ...]:
        """Return the custom resources of one kind."""
        return tuple(r for r in self.resources if r.kind == kind)

    def replicas(self) -> Iterator[tuple[Component, Replica]]:
        """Yield every replica with the component it belongs to."""
        for component in self.components:
            for replica in component.replicas:
                yield component, replica
