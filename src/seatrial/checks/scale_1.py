"""SCALE-1: each component can run several instances, on several nodes, all of them serving at once.

Two views: the platform's list of pods with their nodes, and the census (or an answer of the API) that shows each of
them at work: a listener that speaks its protocol, or, for one that listens to nobody, its connection to the broker.

Not seen: whether more instances serve more requests (a question of capacity). Pods that no workload made, jobs and
client pods are no components that could scale; neither are workloads that are switched off (no replica wanted).
"""

from __future__ import annotations

from http import HTTPStatus

from seatrial.checks.edges import HARNESS
from seatrial.checks.reading import mapping, mappings, whole
from seatrial.checks.weighing import Weighing
from seatrial.model.inventory import Component, Role
from seatrial.model.observation import Evidence, Observation
from seatrial.model.verdict import Verdict

_ROLES = (Role.API, Role.DATABASE, Role.BROKER, Role.CACHE, Role.WORKER)
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")


def check(evidence: Evidence) -> Verdict:
    """Judge SCALE-1."""
    inventory = evidence.inventory
    weighing = Weighing(evidence)
    weighing.gaps(inventory, "Node")
    weighing.blind(*evidence.blind("census"))
    if not [o for o in evidence.of("census") if o.seen]:
        weighing.doubt("no census was taken, so nobody knows which instances serve")
    components = [c for c in inventory.components if _counts(c)]
    if len([n for n in inventory.nodes if n.ready]) < 2:
        weighing.doubt("the platform has fewer than two ready nodes")
    serving = _serving(evidence)
    for component in components:
        _judge(component, weighing, serving, evidence)
    names = ", ".join(sorted(f"{c.name} {len(_ready(c))}" for c in components))
    return weighing.verdict(f"every component runs on several nodes, and each instance serves: {names}")


def _counts(component: Component) -> bool:
    return (
        component.role in _ROLES
        and component.kind in _WORKLOADS
        and component.service != HARNESS
        and component.desired > 0
    )


def _ready(component: Component) -> list[str]:
    return [r.subject for r in component.replicas if r.ready]


def _judge(component: Component, weighing: Weighing, serving: dict[str, Observation], evidence: Evidence) -> None:
    looked = [o for o in (*evidence.of("census"), *evidence.of("resource.conditions")) if o.seen]
    ready = [r for r in component.replicas if r.ready]
    nodes = sorted({r.node for r in ready})
    if len(ready) < 2:
        why = f"{component.subject} has {len(ready)} ready instances ({component.desired} wanted)"
        weighing.bad(component.subject, why, *looked[-1:])
        return
    if len(nodes) < 2:
        why = f"all {len(ready)} instances of {component.subject} are on {nodes[0]}"
        weighing.bad(component.subject, why, *looked[-1:])
        return
    for replica in ready:
        if replica.subject in serving:
            weighing.good(replica.subject, serving[replica.subject])
        else:
            weighing.doubt(f"nothing shows that {replica.subject} serves", *looked[-1:])


def _serving(evidence: Evidence) -> dict[str, Observation]:
    """Return the pods that were seen at work, with the observation that shows it."""
    found: dict[str, Observation] = {}
    for census in (o for o in evidence.of("census") if o.seen):
        value = mapping(census.value)
        for listener in mappings(value["listeners"]):
            if listener.get("subject") and listener["protocol"] != "unknown":
                found[str(listener["subject"])] = census
        for edge in mappings(value["edges"]):
            caller = mapping(edge["from"])
            if caller.get("subject") and edge["protocol"] == "amqp" and caller.get("role") == Role.WORKER.value:
                found[str(caller["subject"])] = census
    for answer in (o for o in evidence.of("keystone.answer") if o.seen):
        # Whoever refuses a stranger works; whoever has no answer of its own does not.
        if whole(mapping(answer.value)["status"]) < HTTPStatus.INTERNAL_SERVER_ERROR:
            found[str(answer.subject)] = answer
    return found
