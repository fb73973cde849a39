"""OPS-3: services go on while their operator, or the meta-operator, is down.

Two views: the paths to API, database and broker, measured while all operators are proven down at once; and the
census, in which no server on a request's path may call an operator.

Not seen: failover of a component while its operator is down too; paths that were not measured.
"""

from __future__ import annotations

from seatrial.checks import edges
from seatrial.checks.loss import judge_hold, judge_outage
from seatrial.checks.reading import mapping, mappings, text, touched
from seatrial.checks.weighing import Weighing
from seatrial.model.inventory import Component, Inventory, Role
from seatrial.model.observation import Evidence
from seatrial.model.verdict import Verdict

_BUDGET = "operator_loss_outage"
_DEFAULT_S = 1.0
"""No outage at all is promised; a client that is scheduled late for a moment is none."""
_PATHS = ((Role.API, "http"), (Role.DATABASE, "sql"), (Role.BROKER, "amqp"))


def check(evidence: Evidence) -> Verdict:
    """Judge OPS-3."""
    inventory = evidence.inventory
    weighing = Weighing(evidence)
    weighing.gaps(inventory, "Service")
    shorter = _judge_loss(evidence, weighing)
    budget = evidence.budgets.get(_BUDGET, _DEFAULT_S)
    paths = [path for role, path in _PATHS if inventory.of_role(role)]
    if not paths:
        weighing.doubt("discovery found neither an API nor a database nor a broker")
    for path in paths:
        judge_outage(evidence, weighing, path, budget, together=True)
    _judge_calls(evidence, weighing)
    return weighing.verdict(
        f"with all {len(_running(inventory))} operators down, no path ({', '.join(paths)}) was without service for "
        f"more than {budget:g} s in all{shorter}"
    )


def _judge_loss(evidence: Evidence, weighing: Weighing) -> str:
    proofs = [o for o in evidence.of("fault.took_hold") if o.seen and mapping(o.value).get("held")]
    weighing.saw(*proofs)
    shorter = judge_hold(evidence, weighing)
    running = _running(evidence.inventory)
    if not running:
        weighing.doubt("discovery found no operator that is to run")
    for component in running:
        pods = {component.subject, *(replica.subject for replica in component.replicas)}
        if not any(touched(proof, pods) for proof in proofs):
            weighing.doubt(f"{component.name} was not proven down", *evidence.of("fault.took_hold"))
    return shorter


def _running(inventory: Inventory) -> list[Component]:
    """The operators that are to run; a meta-operator keeps those of disabled services without a replica."""
    return [operator.component for operator in inventory.operators if operator.component.desired > 0]


def _judge_calls(evidence: Evidence, weighing: Weighing) -> None:
    for census in (o for o in evidence.of("census") if o.seen):
        weighing.saw(census)
        for edge in mappings(mapping(census.value)["edges"]):
            caller, server = mapping(edge["from"]), mapping(edge["to"])
            source = text(caller["service"])
            on_path = edges.user_facing(source) or source in edges.INFRASTRUCTURE
            if on_path and text(server["service"]) == edges.OPERATOR:
                who = text(caller["subject"]) if caller.get("subject") else f"{source}/{caller['component']}"
                why = f"{who} calls operator {server['component']} on port {edge['port']}"
                weighing.bad(who, why, census)
