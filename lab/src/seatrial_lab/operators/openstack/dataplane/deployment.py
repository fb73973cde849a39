"""`OpenStackDataPlaneDeployment`: runs the services of NodeSets in order, once, and tells how each of them went."""

from __future__ import annotations

from typing import Final

from seatrial_lab.operators.common.conditions import Conditions, condition_of
from seatrial_lab.operators.common.reconciler import Controller, NotYet, Round, Watch, everyone
from seatrial_lab.operators.common.resources import (
    DATA_PLANE_DEPLOYMENT,
    DATA_PLANE_SERVICE,
    JOB,
    NODE_SET,
    Json,
)
from seatrial_lab.operators.openstack.dataplane import sources
from seatrial_lab.operators.openstack.dataplane.execution import Outcome, Run, execute

INPUT, SET_UP, DEPLOYED = "InputReady", "SetupReady", "DeploymentReady"
NODE_SET_DEPLOYED: Final = "NodeSetDeploymentReady"
LOOK_AGAIN_S: Final = 3.0


def condition_of_service(name: str) -> str:
    """`configure-network` has the condition `ServiceConfigureNetworkDeploymentReady`."""
    return f"Service{''.join(part.capitalize() for part in name.split('-'))}DeploymentReady"


async def reconcile(this: Round) -> None:
    """One round for one deployment; once it is deployed it is history, and nothing is run any more."""
    if this.status.get("deployed"):
        for kind in (INPUT, SET_UP, DEPLOYED):
            this.conditions.true(kind, "Deployment completed")
        return
    node_sets = await _node_sets(this)
    this.conditions.true(SET_UP, "Setup complete")
    missing: list[str] = []
    before = this.status.get("nodeSetConditions") or {}
    said: dict[str, Conditions] = {}
    for node_set in node_sets:
        name = node_set["metadata"]["name"]
        services = list(this.spec.get("servicesOverride") or node_set["spec"].get("services") or ())
        types = [condition_of_service(service) for service in services]
        said[name] = Conditions([*types, NODE_SET_DEPLOYED], before.get(name) or ())
        missing += await _deploy(this, node_set, node_sets, services, said[name])
    this.status["nodeSetConditions"] = {name: conditions.listed() for name, conditions in said.items()}
    if missing:
        this.conditions.failed(INPUT, f"missing: {'; '.join(dict.fromkeys(missing))}", severity="Warning")
    else:
        this.conditions.true(INPUT, "Input data complete")
    _conclude(this, node_sets, said)


async def _node_sets(this: Round) -> list[Json]:
    """The NodeSets, in the order given; NotYet until all are there and set up."""
    found = []
    for name in this.spec["nodeSets"]:
        node_set = await this.get(NODE_SET, name)
        if node_set is None:
            raise NotYet(INPUT, f"OpenStackDataPlaneNodeSet {name} is missing", severity="Warning")
        found.append(node_set)
    for node_set in found:
        status = node_set.get("status") or {}
        current = status.get("observedGeneration") == node_set["metadata"]["generation"]
        if not current or (condition_of(node_set, SET_UP) or {}).get("status") != "True":
            said: Json = next((c for c in status.get("conditions") or () if c["type"] == "Ready"), {})
            name = node_set["metadata"]["name"]
            raise NotYet(
                SET_UP, f"OpenStackDataPlaneNodeSet {name} is not set up: {said.get('message', 'not seen yet')}"
            )
    return found


async def _deploy(
    this: Round, node_set: Json, all_of_them: list[Json], services: list[str], conditions: Conditions
) -> list[str]:
    """Bring one NodeSet on by as much as can be done now; returns what is missing to go on."""
    for name in services:
        kind = condition_of_service(name)
        service = await this.get(DATA_PLANE_SERVICE, name)
        if service is None:
            conditions.failed(kind, f"OpenStackDataPlaneService {name} is missing", severity="Warning")
            return [f"OpenStackDataPlaneService {name}"]
        found = await sources.read(this, service["spec"].get("dataSources") or ())
        absent = [str(source) for source in found if source.is_missing]
        if absent:
            conditions.failed(kind, f"Deployment of {name} service waits for {', '.join(absent)}", severity="Warning")
            this.look_again(LOOK_AGAIN_S)
            return [f"{each} (service {name})" for each in absent]
        taking_part = all_of_them if service["spec"].get("deployOnAllNodeSets") else [node_set]
        outcome = await execute(this, Run(service, this.cr, taking_part, found))
        if not outcome.done:
            _say(conditions, kind, name, outcome)
            return []
        conditions.true(kind, f"Deployment ready for {name} service")
    conditions.true(NODE_SET_DEPLOYED, "Deployment completed")
    return []


def _say(conditions: Conditions, kind: str, name: str, outcome: Outcome) -> None:
    if outcome.severity == "Info":
        conditions.waiting(kind, f"Deployment in progress for {name} service: {outcome.message}")
        conditions.waiting(NODE_SET_DEPLOYED, f"Deployment in progress: {name}")
    else:
        message = f"Deployment error occurred in {name} service: {outcome.message}"
        conditions.failed(kind, message, severity=outcome.severity)
        conditions.failed(NODE_SET_DEPLOYED, message, severity=outcome.severity)


def _conclude(this: Round, node_sets: list[Json], said: dict[str, Conditions]) -> None:
    """The deployment as a whole is what the worst of its NodeSets is."""
    if all(conditions.all_true() for conditions in said.values()):
        this.status["deployed"] = True
        this.status["nodeSetHashes"] = {n["metadata"]["name"]: n["status"].get("configHash", "") for n in node_sets}
        this.conditions.true(DEPLOYED, "Deployment completed")
        return
    heads = {name: conditions.listed()[0] for name, conditions in said.items()}
    open_ones = {name: head for name, head in heads.items() if head["status"] != "True"}
    message = "; ".join(f"NodeSet {name}: {head['message']}" for name, head in open_ones.items())
    severities = {head.get("severity", "") for head in open_ones.values()}
    worst = next((severity for severity in ("Error", "Warning") if severity in severities), None)
    if worst:
        this.conditions.failed(DEPLOYED, message, severity=worst)
    else:
        this.conditions.waiting(DEPLOYED, message)


CONTROLLER: Final = Controller(
    resource=DATA_PLANE_DEPLOYMENT,
    reconcile=reconcile,
    conditions=(INPUT, SET_UP, DEPLOYED),
    owns=(JOB,),
    watches=(Watch(NODE_SET, everyone), Watch(DATA_PLANE_SERVICE, everyone)),
)
