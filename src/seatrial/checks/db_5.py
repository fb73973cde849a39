"""DB-5: an acknowledged write survives the loss of any one database instance, and service continues.

Three views: proof that an instance really was lost; ledgers of rows (through SQL) and of Keystone projects (through
the API) whose every acknowledged entry is looked for on every member afterwards; the outage of both paths meanwhile.

Not seen: loss of two instances at once, of a node, of a disk; writes whose outcome the client never learned (they
may be there or not); outages shorter than the probes' resolution.
"""

from __future__ import annotations

from seatrial.checks.loss import judge_hold, judge_ledger, judge_outage
from seatrial.checks.reading import held, mapping
from seatrial.checks.weighing import Weighing, not_applicable
from seatrial.model.inventory import Inventory, Resource, Role
from seatrial.model.observation import Evidence
from seatrial.model.verdict import Verdict

_BUDGET = "failover"
_DEFAULT_S = 30.0


def check(evidence: Evidence) -> Verdict:
    """Judge DB-5."""
    inventory = evidence.inventory
    clusters = inventory.of_kind("Galera")
    if not clusters and not inventory.gaps:
        return not_applicable(evidence, "this deployment has no Galera resource")
    weighing = Weighing(evidence)
    weighing.gaps(inventory, "Galera")
    for cluster in clusters:
        if (cluster.replicas or 1) < 2:
            told = evidence.of("galera.status") or evidence.of("outage") or evidence.of("ledger")
            why = f"{cluster.subject} has a single member: nothing survives its loss"
            weighing.bad(cluster.subject, why, *[o for o in told if o.seen])
    members = {s for cluster in clusters for s in _members(inventory, cluster)}
    proofs = held(evidence, members)
    if not proofs:
        weighing.doubt("no loss of a database instance was proven", *evidence.of("fault.took_hold"))
    weighing.saw(*proofs)
    shorter = judge_hold(evidence, weighing)
    budget = evidence.budgets.get(_BUDGET, _DEFAULT_S)
    for path in ("sql", "http"):
        judge_outage(evidence, weighing, path, budget)
    for kind in ("sql_row", "keystone_project"):
        judge_ledger(evidence, weighing, kind)
    lost = sorted({str(p.subject) for p in proofs})
    longest = [
        f"{path} {mapping(o.value)['longest_s']} s"
        for path in ("sql", "http")
        for o in evidence.of("outage")
        if o.seen and o.subject == f"path/{path}"
    ]
    return weighing.verdict(
        f"no acknowledged write was lost with {', '.join(lost)}; longest outage: {', '.join(longest)} "
        f"(budget {budget:g} s){shorter}"
    )


def _members(inventory: Inventory, cluster: Resource) -> list[str]:
    return [
        replica.subject
        for component in inventory.of_role(Role.DATABASE)
        if any(owner.uid == cluster.uid for owner in component.owners)
        for replica in component.replicas
    ]
