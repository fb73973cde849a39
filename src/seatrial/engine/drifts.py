"""Which drift is made for operators to correct: what can be changed without anybody noticing, by each operator. Pure.

The canaries first: a key that nobody reads in a ConfigMap, one API instance more. Services come last, and only those
that are nobody's name: a Service that is made anew gets another address, and for a moment there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from seatrial.faults.config import AlterConfigMap
from seatrial.faults.drift import DeleteObject, SetReplicas
from seatrial.model.inventory import Component, Inventory, Owner, Role, ServiceObject
from seatrial.model.observation import Subject

INFRA = frozenset({"rabbitmq", "memcached", "redis", "network", "instanceha", "topology"})
"""API groups that the infra operator serves (rhoso-topology, section 2); the others have an operator of their name."""
KEEPERS = frozenset({"Galera", "RabbitMq", "OVNNorthd"})
"""Kinds whose operator puts a foreign key in its ConfigMaps right at once, and whose pods take no notice of one.

Each sets the data whole (lib-common, ``configmap.createOrPatchConfigMap``: ``configMap.Data = renderedTemplateData``;
infra-operator, ``rabbitmq_controller.ensureConfigMap``: ``cm.Data = data``), hashes what it rendered, and is woken by a
change (``Owns(&corev1.ConfigMap{})`` in ``SetupWithManager``); its pods mount named keys, or a folder of scripts.
That holds for a RabbitMq since 18.0 FR6, where it makes its StatefulSet itself: before, it left that to a
RabbitmqCluster, and did not watch its ConfigMaps.
Not among them: Memcached and Redis, which do not watch theirs; DNSMasq and DNSData, whose server is rolled out by any
change; OVNDBCluster and OVNController, whose ConfigMaps go to compute nodes too; KeystoneAPI, as the pod of
OpenStackClient is made anew by any change of ``openstack-config``; RabbitmqCluster, which restarts its brokers.
"""
_GROUP = ".openstack.org"
_ONE_POD = ("statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index")


class Change(StrEnum):
    """What is done to an object, in the words of reports."""

    FOREIGN_KEY = "foreign key"
    REPLICAS = "replica count"
    DELETION = "deletion"


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """A ConfigMap as far as drift needs to know it: never what is in it."""

    name: str
    namespace: str
    owner: str
    """The uid of its controller; empty where it has none."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One change behind one operator's back."""

    operator: str
    change: Change
    subject: Subject
    fault: AlterConfigMap | SetReplicas | DeleteObject


def drifts(inventory: Inventory, config_maps: Sequence[ConfigMap] = ()) -> list[Drift]:
    """Return the drift to be made, in its order: of each kind at most one for each operator, and only of its own."""
    return [
        *_first_of_each(_config_map(inventory, found) for found in sorted(config_maps, key=lambda c: c.name)),
        *_first_of_each(_replicas(inventory, component) for component in sorted(inventory.components, key=_name)),
        *_first_of_each(_service(inventory, service) for service in sorted(inventory.services, key=_name)),
    ]


def _name(item: Component | ServiceObject) -> str:
    return item.name


def _first_of_each(candidates: Iterable[Drift | None]) -> Iterator[Drift]:
    taken: set[str] = set()
    for candidate in candidates:
        if candidate is not None and candidate.operator not in taken:
            taken.add(candidate.operator)
            yield candidate


def _config_map(inventory: Inventory, found: ConfigMap) -> Drift | None:
    owner = next((r for r in inventory.resources if r.uid == found.owner and r.kind in KEEPERS), None)
    operator = _operator_of(inventory, found.owner)
    if owner is None or operator is None or owner.namespace != found.namespace:
        return None
    if not any(component.owners and component.owners[0].uid == owner.uid for component in inventory.components):
        return None
    subject = Subject(f"configmap/{found.namespace}/{found.name}")
    return Drift(operator, Change.FOREIGN_KEY, subject, AlterConfigMap(found.name, found.namespace))


def _replicas(inventory: Inventory, component: Component) -> Drift | None:
    """One instance more of an API: only of a Deployment, as one of a StatefulSet would leave a volume behind."""
    operator = _operator(inventory, component.owners)
    namesakes = [other for other in inventory.components if other.name == component.name]
    if operator is None or component.role is not Role.API or component.kind != "Deployment" or len(namesakes) != 1:
        return None
    more = SetReplicas(component.name, component.desired + 1)
    return Drift(operator, Change.REPLICAS, Subject(component.subject), more)


def _service(inventory: Inventory, service: ServiceObject) -> Drift | None:
    operator = _operator(inventory, service.owners)
    if operator is None or not _nobodys_name(inventory, service):
        return None
    deletion = DeleteObject("Service", service.name, service.namespace)
    return Drift(operator, Change.DELETION, Subject(service.subject), deletion)


def _nobodys_name(inventory: Inventory, service: ServiceObject) -> bool:
    """Tell whether a Service is only a way to the instances of an API, from inside: it has no other kind of user.

    A headless one gives members their names (raft, Erlang, Galera); a load balancer's address is in configuration
    outside; one that sends everybody to one pod is moved by the members themselves; behind Routes are those labelled
    ``endpoint: public`` (openstack-operator, ``EnsureEndpointConfig``), and the catalogue may name others.
    """
    of_apis = {r.name for c in inventory.components if c.role is Role.API for r in c.replicas}
    return (
        service.type == "ClusterIP"
        and service.cluster_ip not in ("", "None")
        and not service.external_ips
        and service.labels.get("endpoint") == "internal"
        and bool(service.selector)
        and not any(key in service.selector for key in _ONE_POD)
        and bool(service.backends)
        and of_apis.issuperset(service.backends)
        and (service.name, service.namespace) not in set(_published(inventory))
    )


def _published(inventory: Inventory) -> Iterator[tuple[str, str]]:
    """Yield name and namespace of each Service to which the catalogue sends the public, where its URLs are names."""
    for resource in inventory.resources:
        for urls in (resource.spec.get("endpoints"), resource.status.get("apiEndpoints")):
            public = urls.get("public") if isinstance(urls, Mapping) else None
            name, _, rest = (urlsplit(str(public or "")).hostname or "").partition(".")
            yield name, rest.partition(".")[0]


def _operator(inventory: Inventory, owners: Sequence[Owner]) -> str | None:
    """Return the operator of the nearest owner that is a custom resource of OpenStack's; None if there is none."""
    return next((name for owner in owners if (name := _operator_of(inventory, owner.uid)) is not None), None)


def _operator_of(inventory: Inventory, uid: str) -> str | None:
    owner = next((r for r in inventory.resources if r.uid == uid), None)
    group = owner.api_version.partition("/")[0] if owner is not None else ""
    if not group.endswith(_GROUP):
        return None
    head = group.removesuffix(_GROUP)
    return "infra" if head in INFRA else head
