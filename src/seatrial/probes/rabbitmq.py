"""Each broker cluster: what its members believe about it, and how its queues are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from seatrial.clients import rabbitmq as ctl
from seatrial.clients.deployment import Deployment
from seatrial.clients.kube import Kube
from seatrial.clients.looking import look
from seatrial.model.errors import Unreachable
from seatrial.model.inventory import Component, Inventory, Replica, Role
from seatrial.model.observation import Json, Observation

_AT_ONCE = 3
_KINDS = ("RabbitMq", "RabbitmqCluster")


def members(deployment: Deployment, inventory: Inventory) -> tuple[Observation, ...]:
    """Return one ``rabbitmq.members`` Observation per broker pod: the cluster as this member sees it."""

    def one(component: Component, replica: Replica) -> Observation:
        def answer() -> Json:
            said = ctl.cluster_status(deployment.kube, replica.name, namespace=replica.namespace)
            return {
                "cluster": _cluster(component),
                "node": _node(said, replica),
                "disk_nodes": sorted(said["disk_nodes"]),
                "ram_nodes": sorted(said.get("ram_nodes") or []),
                "running_nodes": sorted(said["running_nodes"]),
                "partitions": said.get("partitions") or {},
                "alarms": [str(alarm) for alarm in said.get("alarms") or []],
                "cluster_name": str(said.get("cluster_name", "")),
            }

        return look("rabbitmq.members", replica.subject, answer)

    everyone = [(component, replica) for component in _brokers(inventory) for replica in component.replicas]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        # Each question starts an Erlang of its own in its pod; they need not wait for each other.
        return tuple(pool.map(lambda pair: one(*pair), everyone))


def queues(deployment: Deployment, inventory: Inventory) -> tuple[Observation, ...]:
    """Return one ``rabbitmq.queues`` Observation per broker cluster: every queue, its type and where it is kept."""
    by_cluster: dict[tuple[str, str], list[Replica]] = defaultdict(list)
    for component in _brokers(inventory):
        by_cluster[component.namespace, _cluster(component)] += sorted(component.replicas, key=lambda r: not r.ready)
    found: list[Observation] = []
    for (namespace, name), replicas in by_cluster.items():

        def answer(name: str = name, replicas: list[Replica] = replicas) -> Json:
            return {"cluster": name, "size": len(replicas), "queues": _first_answer(deployment.kube, replicas)}

        found.append(look("rabbitmq.queues", f"rabbitmq/{namespace}/{name}", answer))
    return tuple(found)


def _first_answer(kube: Kube, replicas: list[Replica]) -> list[Json]:
    problem: Unreachable | None = None
    for replica in replicas:
        try:
            return [
                _queue(row, vhost)
                for vhost in ctl.vhosts(kube, replica.name, namespace=replica.namespace)
                for row in ctl.queues(kube, replica.name, namespace=replica.namespace, vhost=vhost)
            ]
        except Unreachable as silent:
            problem = silent
    raise problem or Unreachable("the broker has no pod that could be asked")


def _queue(row: Mapping[str, Any], vhost: str) -> Json:
    """Return one queue; a classic one is kept where its process is, and on its mirrors where there are any."""
    home = _node_of(row.get("pid"))
    # Erlang's empty list and "not applicable" both come as an empty string.
    kept = list(row.get("members") or [])
    online = list(row.get("online") or [])
    if not kept:
        kept = sorted({node for node in (home, *map(_node_of, row.get("slave_pids") or [])) if node})
        online = kept
    return {
        "name": str(row["name"]),
        "vhost": vhost,
        "type": str(row.get("type", "")).removeprefix("rabbit_").removesuffix("_queue"),
        "durable": bool(row.get("durable")),
        "auto_delete": bool(row.get("auto_delete")),
        "exclusive": row.get("exclusive") is True,
        "policy": str(row.get("policy") or ""),
        "members": cast("list[Json]", kept),
        "online": cast("list[Json]", online),
        "leader": str(row.get("leader") or home),
        "messages": int(row.get("messages") or 0),
    }


def _node_of(pid: object) -> str:
    """Return the node in a process id as the tool prints it: ``<rabbit@host.domain.1234.567.0>``."""
    text = str(pid or "").strip("<>")
    return text.rsplit(".", 3)[0] if "@" in text else ""


def _node(said: Mapping[str, Any], replica: Replica) -> str:
    return next((str(n) for n in said["running_nodes"] if f"@{replica.name}." in f"{n}."), "")


def _brokers(inventory: Inventory) -> list[Component]:
    return [c for c in inventory.of_service("rabbitmq") if c.role is Role.BROKER and c.kind != "Pod"]


def _cluster(component: Component) -> str:
    # The topmost of the two kinds: until FR5 a RabbitMq owns a RabbitmqCluster of the same name.
    owner = next((o.name for o in reversed(component.owners) if o.kind in _KINDS), None)
    return owner or component.labels.get("app.kubernetes.io/name", component.name)
