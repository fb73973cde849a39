"""MSG-2: the broker replicates what it accepts; a confirmed message survives the loss of any one broker instance.

Three views: the cluster as each member sees it, the type and members of every queue, and a ledger of confirmed
messages through a proven loss of an instance.

Not seen: messages published without asking for a confirm; what happens when two instances are lost. Queues that live
and die with one connection (exclusive, auto-delete, not durable: replies and fan-out) are exempt: nothing that they
hold outlives their reader anyway (rhoso-topology, S14).
"""

from __future__ import annotations

from collections.abc import Mapping

from seatrial.checks.loss import judge_hold, judge_ledger
from seatrial.checks.reading import held, items, latest, mapping, mappings, text
from seatrial.checks.weighing import Weighing, not_applicable
from seatrial.model.inventory import Inventory, Resource
from seatrial.model.observation import Evidence, Json, Observation
from seatrial.model.verdict import Verdict

_REPLICATED = ("quorum", "stream")
_KINDS = ("RabbitMq", "RabbitmqCluster")


def check(evidence: Evidence) -> Verdict:
    """Judge MSG-2."""
    inventory = evidence.inventory
    clusters = _clusters(inventory)
    if not clusters and not inventory.gaps:
        return not_applicable(evidence, "this deployment has no RabbitMq resource")
    weighing = Weighing(evidence)
    weighing.gaps(inventory, *_KINDS)
    weighing.blind(*[o for o in latest(evidence.of("rabbitmq.members")).values() if not o.seen])
    weighing.blind(*[o for o in latest(evidence.of("rabbitmq.queues")).values() if not o.seen])
    queues = 0
    for cluster in clusters:
        _judge_members(evidence, weighing, cluster)
        queues += _judge_queues(evidence, weighing, cluster)
    proofs = held(evidence, {s for c in clusters for s in _pods(inventory, c)})
    if not proofs:
        weighing.doubt("no loss of a broker instance was proven", *evidence.of("fault.took_hold"))
    weighing.saw(*proofs)
    shorter = judge_hold(evidence, weighing)
    judge_ledger(evidence, weighing, "amqp_message")
    lost = ", ".join(sorted({str(p.subject) for p in proofs}))
    return weighing.verdict(
        f"all {queues} lasting queues are kept by a majority of brokers, and no confirmed message was lost with {lost}"
        f"{shorter}"
    )


def _clusters(inventory: Inventory) -> list[Resource]:
    found = [r for kind in _KINDS for r in inventory.of_kind(kind)]
    uids = {r.uid for r in found}
    # Until FR5 a RabbitMq owns a RabbitmqCluster of the same name: one cluster, judged by the upper resource.
    return [r for r in found if not any(owner.uid in uids for owner in r.owners)]


def _pods(inventory: Inventory, cluster: Resource) -> list[str]:
    return [
        replica.subject
        for component in inventory.of_service("rabbitmq")
        if any(owner.uid == cluster.uid for owner in component.owners)
        for replica in component.replicas
    ]


def _judge_members(evidence: Evidence, weighing: Weighing, cluster: Resource) -> None:
    declared = cluster.replicas or 1
    pods = _pods(evidence.inventory, cluster)
    looks = [o for s, o in latest(evidence.of("rabbitmq.members")).items() if s in pods and o.seen]
    if declared == 1:
        why = f"{cluster.subject} has a single broker: nothing survives its loss"
        weighing.bad(cluster.subject, why, *looks, *[o for o in evidence.of("rabbitmq.queues") if o.seen])
        return
    if len(looks) < declared:
        weighing.doubt(f"{cluster.subject} declares {declared} brokers, {len(looks)} told their state", *looks)
    for look in looks:
        value = mapping(look.value)
        running = [text(n) for n in items(value["running_nodes"])]
        if value["partitions"]:
            weighing.bad(look.subject, f"{look.subject} is cut off from part of its cluster", look)
        elif len(running) != declared:
            why = f"{look.subject} sees {len(running)} brokers running ({', '.join(running)}), not {declared}"
            weighing.bad(look.subject, why, look)
        else:
            weighing.good(look.subject, look)


def _judge_queues(evidence: Evidence, weighing: Weighing, cluster: Resource) -> int:
    declared = cluster.replicas or 1
    subject = f"rabbitmq/{cluster.namespace}/{cluster.name}"
    looks = [o for o in evidence.of("rabbitmq.queues") if o.subject == subject and o.seen]
    if not looks:
        weighing.doubt(f"the queues of {cluster.subject} were not listed")
        return 0
    kind = str(cluster.status.get("queueType") or cluster.spec.get("queueType") or "")
    if kind == "None" and declared > 1:
        why = f"{cluster.subject} gives its clients unreplicated queues (queueType None)"
        weighing.bad(cluster.subject, why, looks[-1])
    lasting: set[str] = set()
    for look in looks:
        # Every listing counts: a queue may be seen in one and be gone in the next.
        for queue in mappings(mapping(look.value)["queues"]):
            if _lasting(queue):
                lasting.add(f"{queue['vhost']} {queue['name']}")
                _judge_queue(look, queue, weighing, cluster)
    weighing.saw(looks[-1])
    return len(lasting)


def _judge_queue(look: Observation, queue: Mapping[str, Json], weighing: Weighing, cluster: Resource) -> None:
    declared = cluster.replicas or 1
    name = f"queue/{cluster.namespace}/{cluster.name}/{queue['name']}"
    kept, online = len(items(queue["members"])), len(items(queue["online"]))
    where = f"queue {queue['name']} (vhost {queue['vhost']}, {queue['type']})"
    if kept * 2 <= declared:
        weighing.bad(name, f"{where} is kept by {kept} of {declared} brokers", look)
    elif online * 2 <= declared:
        weighing.bad(name, f"{where} has {online} of {declared} members online: no majority", look)
    else:
        weighing.good(name, look)


def _lasting(queue: Mapping[str, Json]) -> bool:
    if queue["type"] in _REPLICATED:
        return True
    return bool(queue["durable"]) and not queue["exclusive"] and not queue["auto_delete"]
