"""Which container of a pod runs its server, and whether that container still is the one it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from seatrial.clients import galera, rabbitmq
from seatrial.faults.proc import Place
from seatrial.faults.wholeness import is_over
from seatrial.model.errors import Unreachable

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

SIDE_CARS = ("*-log", "*-probe", "amqp-proxy", "init", "kube-rbac-proxy", "log", "openstack-network-exporter", "probe")
"""Never what a pod is for when there is anything else in it.

Logs and probes: rhoso-topology 3.1; ``kube-rbac-proxy`` beside operators up to FR2: 1.3; ``amqp-proxy`` beside a broker
on its way from 3.x to 4.x: section 4 there and infra-operator; the exporter beside OVN's programs: 3.1.
"""
SERVERS: Mapping[str, tuple[str, ...]] = {
    galera.CONTAINER: ("mysqld", "mariadbd"),
    rabbitmq.CONTAINER: ("beam.smp",),
    # Operators (1.3): all of a release's service operators; the init operator and, up to FR5, the broker's.
    "manager": ("manager",),
    "operator": ("operator",),
    "memcached": ("memcached",),
    "redis": ("redis-server",),
    "ovsdbserver-nb": ("ovsdb-server",),
    "ovsdbserver-sb": ("ovsdb-server",),
    "ovn-northd": ("ovn-northd",),
    "ovn-controller": ("ovn-controller",),
    "dnsmasq-dns": ("dnsmasq",),
    # The proxy in front of it (glance-httpd, neutron-httpd, proxy-httpd) is a container of its own.
    "glance-api": ("glance-api",),
    "neutron-api": ("neutron-server",),
    "proxy-server": ("swift-proxy-ser",),
    "keystone-api": ("httpd",),
    "placement-api": ("httpd",),
    "nova-api-api": ("httpd",),
    "nova-metadata-metadata": ("httpd",),
    "nova-scheduler-scheduler": ("nova-scheduler",),
    "nova-*-conductor-conductor": ("nova-conductor",),
    "nova-*-novncproxy-novncproxy": ("nova-novncproxy",),
    "barbican-api": ("httpd",),
    "barbican-worker": ("barbican-worker",),
    "barbican-keystone-listener": ("barbican-keysto",),
    "cinder-api": ("httpd",),
    "cinder-scheduler": ("cinder-schedule",),
    "cinder-volume": ("cinder-volume",),
    "cinder-backup": ("cinder-backup",),
    "heat-api": ("httpd",),
    "heat-cfnapi": ("httpd",),
    "heat-engine": ("heat-engine",),
    "horizon": ("httpd",),
    "manila-api": ("httpd",),
    "manila-scheduler": ("manila-schedule",),
    "manila-share": ("manila-share",),
    "octavia-api": ("httpd",),
}
"""Containers that run a server, and what the kernel calls its process (15 characters).

Source: rhoso-topology, section 3.1 (18.0 FR6), and the pods that its operators make.
"""


Target = Mapping[str, Any]
"""One prepared container, as a recipe holds it."""


@dataclass(frozen=True, slots=True)
class Status:
    """What the platform says of one container now; ``uid`` and ``id`` are empty when there is none."""

    uid: str
    id: str
    restarts: int
    running: bool
    over: bool
    """No such pod, or one that has ended for good: no process of it is left."""

    def same(self, prepared: Target) -> bool:
        """Tell whether this is the prepared container, and runs."""
        return self.running and (self.uid, self.id) == (prepared["uid"], prepared["container_id"])

    def __str__(self) -> str:
        """Name it for a person."""
        return f"pod {self.uid}, {self.id or 'no container'}" if self.uid else "no such pod"


def status(deployment: Deployment, place: Place) -> Status:
    """Ask the platform for the pod, and for the container in it."""
    manifest = deployment.kube.get("Pod", place.pod, namespace=place.namespace)
    if manifest is None:
        return Status("", "", 0, running=False, over=True)
    told = manifest.get("status") or {}
    own: Mapping[str, Any] = next(
        (one for one in told.get("containerStatuses") or [] if one.get("name") == place.container), {}
    )
    return Status(
        uid=str(manifest["metadata"]["uid"]),
        id=str(own.get("containerID") or ""),
        restarts=int(own.get("restartCount") or 0),
        running="running" in (own.get("state") or {}),
        over=is_over(manifest),
    )


def place(target: Target) -> Place:
    """Return where a prepared container was, and where what took its place is."""
    return Place(target["namespace"], target["pod"], target["container"])


def checked(deployment: Deployment, target: Target) -> Place:
    """Return where the prepared container is; raises ``Unreachable`` when the platform shows another there, or none."""
    where = place(target)
    now = status(deployment, where)
    if not now.same(target):
        raise Unreachable(
            f"{where} is not the container any more that was prepared: pod {target['uid']}, "
            f"{target['container_id']} then; {now} now"
        )
    return where


def choose(names: Sequence[str]) -> str | tuple[str, ...]:
    """Return the container that runs the server, or the several that it can't be told from."""
    if len(names) == 1:
        return names[0]
    left = tuple(name for name in names if not any(fnmatchcase(name, pattern) for pattern in SIDE_CARS))
    known = tuple(name for name in left if processes_of(name))
    for found in (left, known):
        if len(found) == 1:
            return found[0]
    return known or left or tuple(names)


def processes_of(container: str) -> tuple[str, ...]:
    """Return what the server's process is called in a container that is known; nothing for any other."""
    return next((names for pattern, names in SERVERS.items() if fnmatchcase(container, pattern)), ())
