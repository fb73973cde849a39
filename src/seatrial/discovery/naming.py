"""Which service an object belongs to, and what it is for: by owner first, by label second, never by its name.

Owners are made by operators and can't be claimed by mistake; labels are all that is left for pods that nobody owns.
Source of groups, kinds and labels: the operators' CRDs and templates (rhoso-topology, sections 2 and 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seatrial.model.inventory import Owner, Role

HARNESS_LABEL = ("app.kubernetes.io/part-of", "seatrial")
OPERATOR_LABEL = "openstack.org/operator-name"
GROUP_SUFFIX = ".openstack.org"

_BY_KIND = {
    "Galera": "galera",
    "RabbitMq": "rabbitmq",
    "RabbitmqCluster": "rabbitmq",
    "Memcached": "memcached",
    "Redis": "redis",
    "DNSMasq": "dnsmasq",
    "OVNDBCluster": "ovn",
    "OVNNorthd": "ovn",
    "OVNController": "ovn",
    "OpenStackClient": "openstackclient",
}
"""Kinds whose API group does not say which service they are."""
_ROLES = {
    "galera": Role.DATABASE,
    "rabbitmq": Role.BROKER,
    "memcached": Role.CACHE,
    "redis": Role.CACHE,
    "openstackclient": Role.CLIENT,
}
_NOT_A_SERVICE = frozenset({"core", "client", "operator", "dataplane", "baremetal", "network", "topology", "test"})
"""API groups whose owners say nothing about the service of what they own."""
_BY_LABEL = {"ovsdbserver": "ovn"}


def service_of_resource(kind: str, group: str) -> str:
    """Return the service that a custom resource belongs to, or empty where its kind belongs to none."""
    if kind in _BY_KIND:
        return _BY_KIND[kind]
    head = group.removesuffix(GROUP_SUFFIX) if group.endswith(GROUP_SUFFIX) else ""
    if head == "mariadb":
        # Databases and accounts are of the service that owns them.
        return ""
    return "" if head in _NOT_A_SERVICE else head


def service_of(labels: Mapping[str, str], owners: Sequence[tuple[str, str]]) -> str:
    """Return the service of a pod or workload from its labels and its owners' (kind, API group), nearest first."""
    if labels.get(HARNESS_LABEL[0]) == HARNESS_LABEL[1]:
        return "harness"
    for kind, group in owners:
        service = service_of_resource(kind, group)
        if service:
            return service
    if labels.get("app") == "galera":
        return "galera"
    if labels.get("app.kubernetes.io/component") == "rabbitmq":
        return "rabbitmq"
    # ``nova-conductor`` and ``nova-api`` are components of nova; ``ovsdbserver-nb`` of OVN.
    head = labels.get("service", "").split("-")[0]
    return _BY_LABEL.get(head, head)


def role_of(kind: str, service: str, owners: Sequence[Owner], *, behind_api: bool) -> Role:
    """Return what a component is for; ``behind_api``: a Service labelled ``endpoint`` sends clients to its pods."""
    if kind in ("Job", "CronJob"):
        return Role.JOB
    if service in _ROLES:
        return _ROLES[service]
    if behind_api or (owners and owners[0].kind.endswith("API")):
        return Role.API
    if not owners or not service or service == "harness":
        return Role.OTHER
    return Role.WORKER
