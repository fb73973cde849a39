"""How evidence is gathered: one procedure for each thing that a scenario says, all through the session.

Step definitions and experiments call these and nothing below them. A procedure records what it saw and returns what the
next one needs; judging is the session's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from seatrial import waiting
from seatrial.clients.looking import observed
from seatrial.engine.disruption import Disruption, Kept
from seatrial.engine.drifts import Change, ConfigMap, Drift, drifts
from seatrial.engine.session import Session
from seatrial.faults.drift import SetReplicas, restored
from seatrial.faults.fixture_pod import AgentPod
from seatrial.faults.fixture_projects import KeystoneProjects
from seatrial.faults.fixture_queue import BrokerQueue
from seatrial.faults.fixture_schema import SqlSchema
from seatrial.faults.pod import DeletePod
from seatrial.faults.process import KillProcess, PauseProcess
from seatrial.faults.select import OPERATORS, first_cluster
from seatrial.load.runner import Load, Running, running
from seatrial.model.access import QueueAccess
from seatrial.model.errors import NotPermitted, SeatrialError, Unreachable
from seatrial.model.fault import Fault, Pick, Selector
from seatrial.model.inventory import Inventory, Role
from seatrial.model.observation import Json, Observation
from seatrial.probes import census, galera, keystone, rabbitmq, resources
from seatrial.traffic import Equipment, Traffic, watch

F = TypeVar("F", bound=Fault)
DATABASE, BROKER = "galera", "rabbitmq"
USERS = 4
"""So many work at once: enough to be seen everywhere, too few to be a test of capacity."""


class Loss(StrEnum):
    """The ways in which an instance can be lost, as people say them."""

    DELETED = "deleted without a warning"
    KILLED = "killed"
    FROZEN = "frozen"

    def of(self, selector: Selector) -> Fault:
        """Return the fault that does this to the selected instances."""
        kinds: Mapping[Loss, type[DeletePod | KillProcess | PauseProcess]] = {
            Loss.DELETED: DeletePod,
            Loss.KILLED: KillProcess,
            Loss.FROZEN: PauseProcess,
        }
        return kinds[self](selector)


def look_at_connections(session: Session, *, spared: Sequence[str] = ()) -> tuple[Observation, ...]:
    """Watch the sockets of all pods for the census window, and the database's sessions meanwhile.

    Nothing is watched twice: what another scenario saw counts for this one too, as long as nothing was disrupted since.
    ``spared``: what is hurt at the moment; nobody speaks to the listeners of its components.
    """
    known = session.recall("connections")
    if known:
        return known
    session.phase("watching connections")
    inventory = session.inventory()
    window = session.budgets["census_window"]
    with ThreadPoolExecutor(2) as pool:
        seen = pool.submit(census.watch, session.deployment, inventory, watch_s=window, spared=spared)
        sessions = pool.submit(galera.sessions, session.deployment, inventory, watch_s=window)
        looks = session.record_all((*seen.result(), *sessions.result()))
    return session.remember("connections", looks)


def look_at_instances(session: Session) -> tuple[Observation, ...]:
    """Read what every custom resource says about itself, beside what its workload is."""
    return session.record_all(resources.conditions(session.deployment, session.inventory()))


def look_at_operators(session: Session) -> tuple[Observation, ...]:
    """Read who owns each operator, and what the meta-operator counts."""
    return session.record_all(resources.operators(session.deployment, session.inventory()))


def look_at_catalogue(session: Session) -> tuple[Observation, ...]:
    """Read the catalogue and the service users."""
    return session.record_all(keystone.catalog(session.deployment))


def ask_with_and_without_token(session: Session) -> tuple[Observation, ...]:
    """Ask every instance and Service of every API without a token and with a false one, its public address with one."""
    return session.record_all(keystone.answers(session.deployment, session.inventory()))


def look_at_members(session: Session) -> tuple[Observation, ...]:
    """Read what every member of the database says about itself and its cluster."""
    return session.record_all(galera.status(session.deployment, session.inventory()))


def write_on_every_member(session: Session) -> tuple[Observation, ...]:
    """Write a row on each member of each database cluster, in a schema of the trial's own there, and read them all."""
    found: tuple[Observation, ...] = ()
    for cluster in sorted(resource.name for resource in session.inventory().of_kind("Galera")):
        schema = session.equip(SqlSchema(cluster), Kept.SCENARIO)
        own = schema.fault.access(schema.injection).database
        rows = galera.replication(session.deployment, session.inventory(), schema=own, cluster=cluster)
        found += session.record_all(rows)  # before the next cluster, which may not be reached
    return found


def look_at_queues(session: Session) -> tuple[Observation, ...]:
    """Read where the broker keeps every queue."""
    return session.record_all(rabbitmq.queues(session.deployment, session.inventory()))


def let_users_work(session: Session) -> Running:
    """Let users log in, have tokens validated, make and delete projects, until the scenario ends."""
    projects = session.equip(KeystoneProjects())
    session.phase("starting users")
    work = Load(users=USERS, prefix=projects.fault.access(projects.injection).prefix)
    return session.during(running(work, session.target, folder=session.workplace("load"), note=session.note))


@dataclass(frozen=True, slots=True)
class Attended:
    """Traffic that flows while a scenario goes on, and where its ledger is kept."""

    traffic: Traffic
    equipment: Equipment


def keep_ledger(session: Session) -> Attended:
    """Let clients write and keep a ledger of what they were promised, and measure their paths, until it is closed."""
    return _attend(session, _equipment(session, database=True, projects=True), ledger=True)


def keep_message_ledger(session: Session) -> Attended:
    """The same for messages alone: a broker is tried without writing to anything else."""
    return _attend(session, _equipment(session, database=False, projects=False), ledger=True)


def measure_paths(session: Session) -> Attended:
    """Measure the paths that users and clients take, until they are closed."""
    return _attend(session, _equipment(session, database=True, projects=False), ledger=False)


def close_ledger(attended: Attended) -> tuple[Observation, ...]:
    """Stop the traffic, look for everything that was promised wherever it has to be, and record what was found."""
    return attended.traffic.stop()


def _attend(session: Session, equipment: Equipment, *, ledger: bool) -> Attended:
    session.phase("starting clients")
    traffic = session.during(
        watch(
            session.deployment,
            session.inventory(),
            equipment,
            record=session.record,
            note=session.note,
            ledger=ledger,
        )
    )
    session.phase("measuring before")
    waiting.pause(session.budgets["settle"])
    return Attended(traffic, equipment)


def _equipment(session: Session, *, database: bool, projects: bool) -> Equipment:
    """Put into the deployment what the clients need; parts that this deployment does not have are left out.

    The pod serves the whole run. Table, queue and projects are made anew for each scenario: a ledger starts empty.
    """
    agent = session.equip(AgentPod())
    schema = _where_possible(session, SqlSchema()) if database else None
    queue = _where_possible(session, BrokerQueue())
    prefix = _where_possible(session, KeystoneProjects()) if projects else None
    return Equipment(
        agent=agent.fault.access(agent.injection),
        schema=schema.fault.access(schema.injection) if schema is not None else None,
        queue=queue.fault.access(queue.injection) if queue is not None else None,
        projects=prefix.fault.access(prefix.injection) if prefix is not None else None,
    )


def _where_possible(session: Session, fault: F) -> Disruption[F] | None:
    if fault.applies(session.inventory()) is not None:
        return None
    return session.equip(fault, Kept.SCENARIO)


def lose_active_member(session: Session, loss: Loss) -> Disruption[Any]:
    """Lose the member of the database that clients are sent to; a frozen one stays so for the failover budget."""
    return _lose(session, loss, Selector(_cluster(session.inventory(), Role.DATABASE, DATABASE), Pick.ACTIVE))


def lose_leading_member(
    session: Session, loss: Loss, attended: Attended, queues: Sequence[Observation]
) -> Disruption[Any]:
    """Lose the member of the broker that leads the ledger's queue, which is the one whose loss costs most.

    ``queues``: where the broker said it keeps them; where it did not say, any one member is lost.
    """
    return _lose(session, loss, _leading(session.inventory(), attended.equipment.queue, queues))


def lose_operators(session: Session, loss: Loss) -> Disruption[Any]:
    """Lose all operators at once, the meta-operator included, and watch connections while they are down."""
    disruption = session.disrupt(loss.of(Selector(OPERATORS, Pick.ALL)))
    _hold(session, disruption)
    look_at_connections(session, spared=[operator.component.subject for operator in session.inventory().operators])
    return disruption


def _lose(session: Session, loss: Loss, selector: Selector) -> Disruption[Any]:
    disruption = session.disrupt(loss.of(selector))
    _hold(session, disruption)
    if loss is Loss.FROZEN:
        # Who is dead comes back by itself. Who is frozen stays so until the others have had time to do without, or
        # until a liveness probe ends it.
        waiting.pause(max(0.0, session.budgets["failover"] - session.budgets["hold"]))
    return disruption


def _hold(session: Session, disruption: Disruption[Any]) -> None:
    """Let a hurt last for the least time that counts as one, and see whether it has."""
    session.phase("holding")
    waiting.pause(session.budgets["hold"])
    session.look_again(disruption)


def _cluster(inventory: Inventory, role: Role, service: str) -> str:
    """Return the workload of the control plane's own cluster: of several, only one is tried, and it is named."""
    found = first_cluster(inventory, role)
    return found.name if found is not None else service


def _leading(inventory: Inventory, queue: QueueAccess | None, queues: Sequence[Observation]) -> Selector:
    broker = _cluster(inventory, Role.BROKER, BROKER)
    if queue is None:
        return Selector(broker, Pick.ONE)
    # RabbitMQ names its nodes after the pod: rabbit@rabbitmq-server-0.rabbitmq-nodes.openstack
    leading = [_leader_of(look, queue.ledger_queue).partition("@")[2].partition(".")[0] for look in queues]
    known = [r.name for c, r in inventory.replicas() if c.name == broker and r.name in leading]
    return Selector(broker, Pick.NAMED, known[0]) if known else Selector(broker, Pick.ONE)


def _leader_of(look: Observation, name: str) -> str:
    listed = look.value.get("queues") if isinstance(look.value, dict) else None
    for queue in listed if isinstance(listed, list) else []:
        if isinstance(queue, dict) and queue.get("name") == name:
            return str(queue.get("leader") or "")
    return ""


def regain(session: Session, disruption: Disruption[Any]) -> Observation:
    """Take a hurt back, or wait until it is repaired, and prove it; then measure a while longer."""
    gone = session.repair(disruption)
    if _hit(session.inventory(), disruption, BROKER):
        _await_members(session)
    session.phase("measuring after")
    waiting.pause(session.budgets["settle"])
    return gone


def _hit(inventory: Inventory, disruption: Disruption[Any], service: str) -> bool:
    own = {replica.subject for component in inventory.of_service(service) for replica in component.replicas}
    return bool(own & set(disruption.injection.subjects))


def _await_members(session: Session) -> tuple[Observation, ...]:
    """Ask the members of the broker until all see each other: a pod that is ready may not have joined yet."""
    session.phase("waiting for the broker's members")
    inventory = session.inventory()
    polled = waiting.poll(
        lambda: session.record_all(rabbitmq.members(session.deployment, inventory)),
        lambda looks: all(_running_nodes(look) == len(looks) for look in looks),
        within_s=session.budgets["repair"],
        every_s=2,
    )
    return polled.value


def _running_nodes(look: Observation) -> int:
    nodes = look.value.get("running_nodes") if isinstance(look.value, dict) else None
    return len(nodes) if isinstance(nodes, list) else 0


def make_drift(session: Session) -> tuple[Observation, ...]:
    """Change and delete objects behind the operators' backs, one after the other, and see each put right or not.

    What the target's owner does not allow is left out, and named.
    """
    found, unread = _config_maps(session)
    return unread + tuple(_drift(session, drift) for drift in drifts(session.inventory(), found))


def _config_maps(session: Session) -> tuple[tuple[ConfigMap, ...], tuple[Observation, ...]]:
    """Return the ConfigMaps of the control plane, names and owners only; or why they could not be read."""
    namespace = session.target.namespaces.control_plane
    try:
        listed = session.deployment.kube.list("ConfigMap", namespace=namespace, content=False)
    except (NotPermitted, Unreachable) as problem:
        return (), (_not_tried(session, f"namespace/{namespace}", Change.FOREIGN_KEY, problem),)
    owned: list[ConfigMap] = []
    for metadata in (manifest["metadata"] for manifest in listed):
        owner = next((r["uid"] for r in metadata.get("ownerReferences") or [] if r.get("controller")), "")
        owned.append(ConfigMap(metadata["name"], namespace, owner))
    return tuple(owned), ()


def _not_tried(session: Session, subject: str, change: Change, why: SeatrialError) -> Observation:
    value: Json = {"what": change.value, "why": str(why)}
    return session.record(observed("drift.not_tried", subject, value, asked_at=datetime.now(UTC), took_s=0.0))


def _drift(session: Session, drift: Drift) -> Observation:
    try:
        disruption = session.disrupt(drift.fault)
    except NotPermitted as refusal:
        return _not_tried(session, drift.subject, drift.change, refusal)
    looked = restored(session.deployment, disruption.injection, within_s=session.budgets["operator_reconcile"])
    told = session.record(
        observed(
            "drift",
            drift.subject,
            {
                "operator": drift.operator,
                "what": drift.change.value,
                "before": disruption.injection.recipe.get("before"),
                "changed_to": drift.fault.to if isinstance(drift.fault, SetReplicas) else None,
                "restored": looked.value,
                "took_s": round(looked.took_s, 3),
            },
            asked_at=disruption.held.asked_at,
            took_s=looked.took_s,
        )
    )
    session.repair(disruption, waited_s=looked.took_s)
    return told


def give_time_to_tell(session: Session) -> tuple[Observation, ...]:
    """Read every resource's conditions again until none contradicts its workload, or the reconcile budget is over."""
    # The check judges series: a resource that says Ready while its instances are not may still be catching up.
    polled = waiting.poll(
        lambda: look_at_instances(session),
        lambda looks: not any(_contradicts(look) for look in looks),
        within_s=session.budgets["operator_reconcile"] + session.budgets["settle"],
        every_s=10,
    )
    return polled.value


def _contradicts(look: Observation) -> bool:
    """Tell whether a resource says Ready while part of its workload is not; if that is a lie, the check says so."""
    value = look.value if isinstance(look.value, dict) else {}
    workload = value.get("workload")
    parts = workload.get("parts") if isinstance(workload, dict) else None
    listed = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return value.get("ready") == "True" and any(part.get("ready") != part.get("desired") for part in listed)
