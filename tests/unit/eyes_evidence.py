"""A small whole deployment as evidence, to be broken in one place by each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from seatrial.model.inventory import (
    Component,
    Gap,
    Inventory,
    Node,
    Operator,
    Owner,
    Replica,
    Resource,
    Role,
    ServiceObject,
)
from seatrial.model.observation import Evidence, Observation, ObservationId, Subject
from seatrial.model.requirement import RequirementId

NOW = datetime(2026, 8, 1, 12, 0, tzinfo=UTC)
GALERA = [f"openstack-galera-{i}" for i in range(3)]
RABBIT = [f"rabbitmq-server-{i}" for i in range(3)]
KEYSTONE = ["keystone-6d-a", "keystone-6d-b"]
MEMCACHED = ["memcached-0", "memcached-1"]
OPERATORS = ["openstack", "mariadb", "infra", "keystone"]
BUDGETS = {"failover": 30.0, "operator_reconcile": 60.0, "operator_loss_outage": 1.0}
CONTROL_PLANE = Owner("OpenStackControlPlane", "controlplane", "u-oscp")

_ids = itertools.count()


def pod(name: str) -> str:
    return f"pod/openstack/{name}"


def replica(name: str, node: str, *, namespace: str = "openstack") -> Replica:
    ip = f"10.128.{node[-1]}.{sum(map(ord, name)) % 200 + 10}"
    return Replica(name, namespace, f"uid-{name}", node, ip, True, "Running", ())


def component(service: str, name: str, *, kind: str, role: Role, pods: list[str], owner: Owner) -> Component:
    replicas = tuple(replica(p, f"node-{i % 3}") for i, p in enumerate(pods))
    return Component(service, name, kind, "openstack", role, len(pods), replicas, (owner, CONTROL_PLANE))


def resource(kind: str, name: str, replicas: int, *, group: str, status: Mapping[str, Any] | None = None) -> Resource:
    return Resource(
        kind=kind,
        name=name,
        namespace="openstack",
        uid=f"u-{name}",
        generation=1,
        observed_generation=1,
        replicas=replicas,
        conditions=(),
        owners=(CONTROL_PLANE,),
        status=status or {},
        api_version=f"{group}/v1beta1",
    )


def operator(name: str) -> Operator:
    full = f"{name}-operator-controller-manager"
    owner = Owner("OpenStack", "openstack", "u-openstack")
    one = replica(f"{full}-x", "node-0", namespace="openstack-operators")
    made = Component("operator", full, "Deployment", "openstack-operators", Role.OTHER, 1, (one,), (owner,))
    return Operator(name, made, owner)


def inventory() -> Inventory:
    galera = Owner("Galera", "openstack", "u-openstack-db")
    rabbit = Owner("RabbitMq", "rabbitmq", "u-rabbitmq")
    memcached = Owner("Memcached", "memcached", "u-memcached")
    keystone = Owner("KeystoneAPI", "keystone", "u-keystone")
    return Inventory(
        taken_at=NOW,
        nodes=tuple(Node(f"node-{i}", f"192.168.122.1{i}", True) for i in range(3)),
        components=(
            component("galera", "openstack-galera", kind="StatefulSet", role=Role.DATABASE, pods=GALERA, owner=galera),
            component("rabbitmq", "rabbitmq-server", kind="StatefulSet", role=Role.BROKER, pods=RABBIT, owner=rabbit),
            component("memcached", "memcached", kind="StatefulSet", role=Role.CACHE, pods=MEMCACHED, owner=memcached),
            component("keystone", "keystone", kind="Deployment", role=Role.API, pods=KEYSTONE, owner=keystone),
        ),
        services=(
            ServiceObject(
                "keystone-internal",
                "openstack",
                "keystone",
                "ClusterIP",
                "172.30.0.5",
                (),
                (),
                {},
                tuple(KEYSTONE),
                {"endpoint": "internal", "service": "keystone"},
            ),
        ),
        resources=(
            replace(resource("Galera", "openstack", 3, group="mariadb.openstack.org"), uid="u-openstack-db"),
            resource("RabbitMq", "rabbitmq", 3, group="rabbitmq.openstack.org", status={"queueType": "Quorum"}),
            resource("Memcached", "memcached", 2, group="memcached.openstack.org"),
            resource("KeystoneAPI", "keystone", 2, group="keystone.openstack.org"),
        ),
        operators=tuple(operator(name) for name in OPERATORS),
        gaps=(),
    )


def seen(probe: str, subject: str, value: Any, *, after_s: float = 0.0) -> Observation:
    made = NOW + timedelta(seconds=after_s)
    return Observation(ObservationId(f"o-{next(_ids):012x}"), probe, Subject(subject), made, 0.1, value)


def blind(observation: Observation) -> Observation:
    return replace(observation, value=None, error="Unreachable: no answer")


def side(service: str, component_name: str, replica_name: str | None, role: str = "other") -> dict[str, Any]:
    subject = pod(replica_name) if replica_name else None
    return {
        "service": service,
        "component": component_name,
        "replica": replica_name,
        "role": role,
        "process": None,
        "subject": subject,
    }


def edge(source: dict[str, Any], goal: dict[str, Any], port: int, protocol: str) -> dict[str, Any]:
    return {"from": source, "to": goal, "port": port, "via": None, "protocol": protocol, "proof": "said so", "count": 3}


def keystone(i: int) -> dict[str, Any]:
    return side("keystone", "keystone", KEYSTONE[i], "api")


def galera(i: int) -> dict[str, Any]:
    return side("galera", "openstack-galera", GALERA[i], "database")


def listener(end: dict[str, Any], port: int, protocol: str) -> dict[str, Any]:
    return {**end, "port": port, "protocol": protocol, "proof": "said so"}


def census(*extra: dict[str, Any], unread: Iterable[str] = ()) -> Observation:
    everyone = [*GALERA, *RABBIT, *KEYSTONE, *MEMCACHED]
    listeners = [listener(galera(i), 3306, "mysql") for i in range(3)]
    listeners += [listener(side("rabbitmq", "rabbitmq-server", p, "broker"), 5672, "amqp") for p in RABBIT]
    listeners += [listener(side("memcached", "memcached", p, "cache"), 11211, "memcached") for p in MEMCACHED]
    listeners += [listener(keystone(i), 5000, "http") for i in range(2)]
    edges = [edge(keystone(i), galera(0), 3306, "mysql") for i in range(2)]
    edges.append(edge(galera(1), galera(0), 4567, "galera"))
    edges.append(edge(side("node", "node-0", None), keystone(0), 5000, "http"))
    value = {
        "watched_s": 60.0,
        "samples": 5,
        "from": NOW.isoformat(),
        "to": NOW.isoformat(),
        "read": [pod(p) for p in everyone],
        "unread": [{"subject": s, "why": "pods/exec is forbidden"} for s in unread],
        "edges": [*edges, *extra],
        "listeners": listeners,
        "spoken_error": None,
    }
    return seen("census", "deployment/test", value)


def sessions(*extra: dict[str, Any]) -> Observation:
    own = [{"user": "keystone_1a2b", "host": "10.128.0.9", "db": "keystone", "peer": pod(p)} for p in KEYSTONE]
    accounts = {
        "keystone_1a2b": {"service": "keystone", "databases": ["keystone"]},
        "root": {"service": "galera", "databases": []},
    }
    value = {"cluster": "openstack", "sessions": [*own, *extra], "accounts": accounts, "samples": 40, "watched_s": 10.0}
    return seen("galera.sessions", pod(GALERA[0]), value)


def catalog(*types: str) -> Observation:
    url = "http://192.168.122.80:5000"
    value = {
        "services": [{"name": t, "type": t, "endpoints": [{"interface": "public", "url": url}]} for t in types],
        "service_users": ["admin"],
    }
    return seen("keystone.catalog", "cloud/test", value)


def answer(subject: str, status: int, shown: str = "nothing") -> Observation:
    via = {"pod": "pod", "service": "service"}.get(subject.split("/", maxsplit=1)[0], "public")
    url = "http://10.128.0.9:5000/v3/projects"
    value = {"url": url, "shown": shown, "service": "keystone", "via": via, "status": status}
    return seen("keystone.answer", subject, value)


def answers() -> list[Observation]:
    inside = [*(pod(p) for p in KEYSTONE), "service/openstack/keystone-internal"]
    refused = [answer(s, 401, shown) for s in inside for shown in ("nothing", "a made-up token")]
    return [*refused, answer("catalog/identity", 401), answer("catalog/identity", 200, "a valid token")]


def wsrep(i: int, **other: Any) -> Observation:
    value = {
        "cluster": "openstack",
        "wsrep_on": "ON",
        "wsrep_cluster_status": "Primary",
        "wsrep_local_state_comment": "Synced",
        "wsrep_cluster_size": "3",
        "wsrep_cluster_state_uuid": "uuid-1",
        **other,
    }
    return seen("galera.status", pod(GALERA[i]), value)


def row(i: int, **missing: bool | None) -> Observation:
    """A row written on member ``i``; ``m1=False``: member 1 did not have it."""
    read = {p: missing.get(f"m{k}", True) for k, p in enumerate(GALERA)}
    value = {"cluster": "openstack", "row": f"row-{i}", "written": True, "why": None, "refused": False, "read": read}
    return seen("galera.replication", pod(GALERA[i]), value)


def took_hold(*pods: str) -> Observation:
    return seen(
        "fault.took_hold", pods[0], {"injection": "i-1", "fault": "delete_pod", "held": True, "subjects": list(pods)}
    )


def still_held(*, held: bool) -> Observation:
    return seen("fault.still_held", pod(GALERA[0]), {"injection": "i-1", "fault": "pause_process", "held": held})


def outage(path: str, longest_s: float = 0.0, **other: Any) -> Observation:
    value = {"path": path, "asked": 1000, "ok": 990, "fail": 10, "longest_s": longest_s, "blind_s": 0.0}
    value |= {"total_s": longest_s, **other}
    return seen("outage", f"path/{path}", value)


def ledger(kind: str, *, lost: Iterable[Mapping[str, Any]] = (), acknowledged: int = 100) -> Observation:
    value = {
        "kind": kind,
        "acknowledged": acknowledged,
        "failed": 1,
        "unknown": 1,
        "found": dict.fromkeys(map(pod, GALERA), acknowledged),
        "lost": list(lost),
        "duplicated": [],
        "unexpected": [],
    }
    return seen("ledger", f"ledger/{kind}", value)


def broker(i: int, running: int = 3) -> Observation:
    nodes = [f"rabbit@{p}" for p in RABBIT]
    value = {"cluster": "rabbitmq", "running_nodes": nodes[:running], "disk_nodes": nodes, "partitions": {}}
    return seen("rabbitmq.members", pod(RABBIT[i]), value)


def queue(name: str, kind: str = "quorum", members: int = 3, **other: Any) -> dict[str, Any]:
    nodes = [f"rabbit@{p}" for p in RABBIT[:members]]
    base = {"name": name, "vhost": "/", "type": kind, "durable": True, "auto_delete": False, "exclusive": False}
    return {**base, "members": nodes, "online": nodes, "leader": nodes[0], "messages": 0, **other}


def queues(*listed: dict[str, Any]) -> Observation:
    return seen("rabbitmq.queues", "rabbitmq/openstack/rabbitmq", {"cluster": "rabbitmq", "queues": list(listed)})


def conditions(
    name: str, ready: str, *, desired: int = 2, have: int = 2, after_s: float = 0.0, kind: str = "KeystoneAPI"
) -> Observation:
    owner = f"{kind.lower()}/openstack/{name}"
    part = {"subject": f"deployment/openstack/{name}", "made_by": kind, "owner": owner, "unready_s": 0.0}
    value = {"kind": kind, "ready": ready, "workload": {"parts": [{**part, "desired": desired, "ready": have}]}}
    return seen("resource.conditions", owner, value, after_s=after_s)


def parent(child: Observation, ready: str) -> Observation:
    """The control plane's own word about what the resource below it deploys."""
    assert isinstance(child.value, dict)
    value = {"kind": "OpenStackControlPlane", "ready": ready, "workload": child.value["workload"]}
    made = seen("resource.conditions", "openstackcontrolplane/openstack/controlplane", value)
    return replace(made, asked_at=child.asked_at)


def drift(took_s: float = 3.0, *, restored: bool = True) -> Observation:
    value = {"what": "replica count", "before": 2, "changed_to": 3, "restored": restored, "took_s": took_s}
    return seen("drift", "deployment/openstack/keystone", {"operator": "keystone", **value})


def drifted(took_s: float = 3.0, *, restored: bool = True) -> list[Observation]:
    """A drift that was seen to be made, and what became of it."""
    found = drift(took_s, restored=restored)
    return [took_hold(found.subject), found]


def drift_not_tried(why: str = "2 of keystone would be down at once; the limit is 1") -> Observation:
    return seen("drift.not_tried", "service/openstack/keystone-internal", {"what": "deletion", "why": why})


def operators(*, orphan: str | None = None, deployed: int = 4) -> Observation:
    owner = [{"kind": "OpenStack", "name": "openstack", "exists": True}]
    listed = [
        {
            "name": name,
            "subject": f"deployment/openstack-operators/{name}-operator-controller-manager",
            "owners": [] if name == orphan else owner,
            "desired": 1,
            "ready": 1,
        }
        for name in [*OPERATORS, *([orphan] if orphan and orphan not in OPERATORS else [])]
    ]
    init = {"name": "openstack-init", "subject": "deployment/openstack-operators/init", "owners": []}
    meta = {
        "subject": "openstack/openstack-operators/openstack",
        "counts": {"enabledOperatorCount": 4, "deployedOperatorCount": deployed, "totalOperatorCount": 4},
    }
    value = {"metas": [meta], "operators": [*listed, {**init, "desired": 1, "ready": 1}]}
    return seen("resource.operators", "namespace/openstack-operators", value)


def all_operator_pods() -> list[str]:
    return [o.component.replicas[0].subject for o in inventory().operators]


def conforming(requirement: str) -> list[Observation]:
    """Evidence on which the check of this requirement says *conforms*."""
    projects, rows = ledger("keystone_project"), ledger("sql_row")
    return {
        "API-1": [census(), sessions()],
        "API-3": [catalog("identity"), *answers()],
        "DB-4": [*(wsrep(i) for i in range(3)), *(row(i) for i in range(3))],
        "DB-5": [took_hold(pod(GALERA[0])), outage("sql", 4.2), outage("http", 0.5), projects, rows],
        "MSG-2": [
            *(broker(i) for i in range(3)),
            queues(queue("notifications.info")),
            took_hold(pod(RABBIT[1])),
            ledger("amqp_message"),
        ],
        "SCALE-1": [census(), *answers()],
        "OPS-1": [operators()],
        "OPS-2": [*drifted(), conditions("keystone", "True")],
        "OPS-3": [took_hold(*all_operator_pods()), *(outage(p) for p in ("http", "sql", "amqp")), census()],
    }[requirement]


def evidence(requirement: str, observations: Iterable[Observation], *, of: Inventory | None = None) -> Evidence:
    return Evidence(RequirementId(requirement), of or inventory(), tuple(observations), BUDGETS)


def with_gap(kind: str) -> Inventory:
    """The inventory of somebody who may not list a kind."""
    full = inventory()
    kept = tuple(r for r in full.resources if r.kind != kind)
    return replace(full, resources=kept, gaps=(Gap(f"{kind.lower()}.x.openstack.org/openstack/*", "forbidden"),))
