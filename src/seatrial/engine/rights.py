"""What each grant needs of the platform: one table, asked by preflight and printed by ``seatrial rbac``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from threading import Lock
from weakref import WeakKeyDictionary

from seatrial.clients.deployment import Deployment
from seatrial.faults.absence import ScaleAway
from seatrial.faults.config import AlterConfigMap
from seatrial.faults.drift import DELETABLE, DeleteObject, SetReplicas
from seatrial.faults.fixture_pod import AgentPod
from seatrial.faults.fixture_projects import KeystoneProjects
from seatrial.faults.fixture_queue import BrokerQueue
from seatrial.faults.fixture_schema import SqlSchema
from seatrial.faults.pod import DeletePod
from seatrial.faults.process import KillProcess, PauseProcess
from seatrial.faults.select import OPERATORS
from seatrial.model.fault import Fault, Selector
from seatrial.model.rights import Right, Where, exec_in, rights, united
from seatrial.model.target import Grant, Target

BOTH = (Where.CONTROL_PLANE, Where.OPERATORS)
GROUPS = (
    "backup barbican baremetal cinder client core dataplane designate glance heat horizon instanceha ironic keystone "
    "manila mariadb memcached network neutron nova octavia operator ovn placement rabbitmq redis swift telemetry test "
    "topology watcher"
)
"""Heads of the API groups of OpenStack's operators, ``*.openstack.org``; preflight asks about those that are served."""
SUFFIX = ".openstack.org"
_CUSTOM = " ".join([*(f"*.{head}{SUFFIX}" for head in GROUPS.split()), "*.rabbitmq.com"])
_WORKLOADS = "deployments.apps statefulsets.apps daemonsets.apps"
_AT_ONCE = 8
ANYTHING = "*"
EVERY_FAULT: tuple[Fault, ...] = (
    *(fault(Selector(what)) for fault in (DeletePod, KillProcess, PauseProcess, ScaleAway) for what in ("", OPERATORS)),
    *(DeleteObject(kind, "", "") for kind in sorted(DELETABLE)),
    SetReplicas("", 0),
    AlterConfigMap("", ""),
    AgentPod(),
    SqlSchema(),
    BrokerQueue(),
    KeystoneProjects(),
)
"""One of each fault and piece of equipment that a plan or an experiment can name; for what it needs, not to be run."""


@dataclass(frozen=True, slots=True)
class Need:
    """Rights that belong together: what they are for, completing "may", and what goes without them."""

    what: str
    rights: tuple[Right, ...]
    without: str
    grant: Grant = Grant.OBSERVE


def _of_faults(grant: Grant) -> tuple[Right, ...]:
    return united(fault.rights() for fault in EVERY_FAULT if fault.grant is grant)


_NEEDS = (
    Need(
        "know which deployment this is",
        (*rights("get", "namespaces", *BOTH), Right("get", "namespaces", Where.CLUSTER, "kube-system")),
        "the deployment can't be told from another: nothing in it may be changed",
    ),
    Need(
        "find the cloud's addresses among the platform's Routes",
        rights("list", "routes.route.openshift.io"),
        "a Route does not show that the cloud is this platform's",
    ),
    Need(
        "read workloads, pods and Services",
        rights("get list", f"pods {_WORKLOADS}", *BOTH)
        + rights("list", "replicasets.apps jobs.batch cronjobs.batch", *BOTH)
        + rights("list", "services endpointslices.discovery.k8s.io", *BOTH),
        "what needs it is inconclusive",
    ),
    Need(
        "read what the operators' resources say",
        rights("get list", _CUSTOM, *BOTH),
        "what needs it is inconclusive",
    ),
    Need(
        "name nodes and the platform's own pods",
        (
            *rights("list", "nodes pods", Where.CLUSTER),
            Right("get", "services", Where.CLUSTER, "kubernetes"),
        ),
        "connections from there can't be named, and components not be told from their nodes: inconclusive",
    ),
    Need(
        "look inside pods (sockets, database, broker)",
        exec_in(*BOTH),
        "what needs it is inconclusive",
    ),
    Need(
        "read the credentials of database and broker",
        rights("get", "secrets"),
        "what needs it is inconclusive",
    ),
    Need(
        "see whether a trial is on",
        rights("get", "leases.coordination.k8s.io"),
        "then `seatrial status` can't tell",
    ),
    Need(
        "start a pod, a schema, queues and projects of its own, and take them back",
        _of_faults(Grant.MUTATE),
        "what it lacks is not started",
        Grant.MUTATE,
    ),
    Need(
        "say why its own pod does not start",
        rights("list", "events"),
        "then only the pod's own status says so",
        Grant.MUTATE,
    ),
    Need(
        "say that a trial is on, so that there is no second one",
        rights("get create update patch delete", "leases.coordination.k8s.io"),
        "nothing in the deployment may be changed",
        Grant.MUTATE,
    ),
    Need(
        "tell by Events what is hurt and healed",
        rights("create", "events.events.k8s.io", *BOTH),
        "nobody is told by Events",
        Grant.MUTATE,
    ),
    Need(
        "find ConfigMaps that operators keep (their names; contents are not sent)",
        rights("list", "configmaps"),
        "drift of ConfigMaps is not tried",
        Grant.DISRUPT,
    ),
    Need(
        "hurt the deployment, and take it back",
        _of_faults(Grant.DISRUPT),
        "a fault that lacks any of it is not started",
        Grant.DISRUPT,
    ),
)


@cache
def needs(grant: Grant) -> tuple[Need, ...]:
    """Return what a grant needs, weaker grants' needs first; no right is named twice."""
    known: set[Right] = set()
    found: list[Need] = []
    for need in _NEEDS:
        own = tuple(right for right in need.rights if not {right, replace(right, resource=f"*.{right.group}")} & known)
        if own and grant.includes(need.grant):
            found.append(Need(need.what, own, need.without, need.grant))
            known.update(own)
    return tuple(found)


def namespace_of(right: Right, target: Target) -> str | None:
    """Return the namespace in which a right is asked for; None: in all of the cluster."""
    if right.where is Where.CLUSTER:
        # The platform takes a namespace to be inside itself, and its own API's Service is in ``default``.
        return {"namespaces": right.name, "services": "default"}.get(right.resource) if right.name else None
    names = target.namespaces
    return right.namespace or (names.control_plane if right.where is Where.CONTROL_PLANE else names.operators)


def told(lacking: Sequence[Right], target: Target) -> str:
    """Return rights as one sentence part: ``delete, create services in openstack; list nodes``."""
    verbs: dict[tuple[str, str | None], list[str]] = {}
    for right in lacking:
        thing = f"{right.resource} {right.name}".strip()
        verbs.setdefault((thing, namespace_of(right, target)), []).append(right.verb)
    return "; ".join(
        f"{', '.join(found)} {thing}" + (f" in {where}" if where else "") for (thing, where), found in verbs.items()
    )


def missing_rights(deployment: Deployment, fault: Fault) -> tuple[Right, ...]:
    """Return what this account may not do, of all that injecting the fault and undoing it needs.

    Each right is asked for once a run. Raises Unreachable when the platform does not say.
    """
    return lacking(deployment, fault.rights())


def lacking(deployment: Deployment, wanted: Sequence[Right]) -> tuple[Right, ...]:
    """Return which of these rights this account does not have; asks for several at once, and for none twice."""
    answers = _answers(deployment)
    asked = [right for right in dict.fromkeys(wanted) if right not in answers]
    if asked:
        with ThreadPoolExecutor(min(len(asked), _AT_ONCE)) as pool:
            answers.update(zip(asked, pool.map(lambda right: _has(deployment, right), asked), strict=True))
    return tuple(right for right in dict.fromkeys(wanted) if not answers[right])


_ANSWERS: WeakKeyDictionary[Deployment, dict[Right, bool]] = WeakKeyDictionary()
_LOCK = Lock()


def _answers(deployment: Deployment) -> dict[Right, bool]:
    with _LOCK:
        return _ANSWERS.setdefault(deployment, {})


def _has(deployment: Deployment, right: Right) -> bool:
    asked = {"name": right.name} if right.name else {}
    return deployment.kube.can_i(right.verb, right.resource, namespace_of(right, deployment.target), **asked)


def lacking_of_need(deployment: Deployment, need: Need) -> tuple[Right, ...]:
    """Return which rights of a need this account lacks, of those that mean anything on this platform.

    Kinds that the platform does not serve need no right; where not all kinds of a group may be read, each is asked for.
    """
    served = {(kind.group, kind.plural) for kind in deployment.kube.kinds()}
    groups = {group for group, _ in served}
    wanted = [right for right in need.rights if right.group in groups or not _optional(right)]
    denied = lacking(deployment, [*wanted, *_of_new_groups(need, groups)])
    return lacking(deployment, [one for right in denied for one in _singly(right, served)])


def _optional(right: Right) -> bool:
    """Tell whether a right is to something of an add-on, which a platform may not have."""
    return right.plural == ANYTHING or right.group.endswith(".openshift.io")


def _of_new_groups(need: Need, groups: set[str]) -> Iterator[Right]:
    """Yield the same for groups of OpenStack that this version has not heard of; discovery reads them as well."""
    known = {right.group for right in need.rights}
    everything = [right for right in need.rights if right.plural == ANYTHING and right.group == f"core{SUFFIX}"]
    for group in sorted(groups - known):
        if group.endswith(SUFFIX):
            yield from (Right(right.verb, f"*.{group}", right.where) for right in everything)


def _singly(right: Right, served: set[tuple[str, str]]) -> list[Right]:
    if right.plural != ANYTHING:
        return [right]
    plurals = sorted(plural for group, plural in served if group == right.group)
    return [Right(right.verb, f"{plural}.{right.group}", right.where) for plural in plurals]
