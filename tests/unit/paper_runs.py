"""Stored runs for the tests of the report, of the model's own types, written through the codec as the engine does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from seatrial.journal.codec import encode, to_json
from seatrial.journal.folder import RunFolder
from seatrial.model.fault import Injection
from seatrial.model.inventory import (
    Component,
    Condition,
    Container,
    Gap,
    Inventory,
    Node,
    Operator,
    Owner,
    Replica,
    Resource,
    Role,
)
from seatrial.model.journal import Event, EventKind
from seatrial.model.observation import Json, Observation, ObservationId, Subject
from seatrial.model.requirement import RequirementId
from seatrial.model.run import Plan, Run
from seatrial.model.verdict import Outcome, Verdict

START = datetime(2026, 3, 14, 9, 26, 53, 589793, tzinfo=UTC)
CORE = ("API-1", "API-3", "DB-4", "DB-5", "MSG-2", "SCALE-1", "OPS-1", "OPS-2", "OPS-3")


@dataclass
class Recorder:
    """A run in the making, with a clock of its own."""

    path: Path
    requirements: tuple[str, ...] = CORE
    suite: str = "resilience"
    target: str = "lab-core"
    now: datetime = START
    events: list[Event] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    number: int = 0
    process: int = 4711

    def __post_init__(self) -> None:
        self.path.mkdir(parents=True)

    def wait(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def at(self, seconds: float) -> str:
        return (START + timedelta(seconds=seconds)).isoformat()

    def event(self, kind: EventKind, data: Mapping[str, object]) -> None:
        plain = to_json(data)
        assert isinstance(plain, dict)
        mono = (self.now - START).total_seconds() + 1000
        self.events.append(Event(len(self.events) + 1, self.now, mono, self.process, kind, plain))

    def observe(
        self, probe: str, subject: str, value: Json = None, *, error: str | None = None, excerpt: str = ""
    ) -> str:
        self.number += 1
        oid = ObservationId(f"o-{self.number:012x}")
        seen = Observation(oid, probe, Subject(subject), self.now, 0.012, value, error, excerpt)
        self.event(EventKind.OBSERVATION, encode(seen))
        return oid

    def judge(
        self,
        requirement: str,
        outcome: str,
        because: str,
        seen: tuple[str, ...],
        *,
        scenario: str,
        violating: tuple[str, ...] = (),
    ) -> None:
        evidence = {
            "requirement": requirement,
            "scenario": scenario,
            "inventory": "inventory-1.json",
            "observations": seen,
        }
        self.event(EventKind.EVIDENCE, evidence)
        verdict = Verdict(
            RequirementId(requirement),
            Outcome(outcome),
            because,
            conforming=tuple(Subject(s) for s in ("pod/openstack/openstack-galera-0",))
            if outcome == "conforms"
            else (),
            violating=tuple(Subject(s) for s in violating),
            seen=tuple(ObservationId(s) for s in seen),
        )
        self.verdicts.append(verdict)
        self.event(EventKind.VERDICT, {"scenario": scenario, "verdict": verdict})

    def phase(self, name: str, scenario: str = "") -> None:
        self.event(EventKind.PHASE, {"name": name, "scenario": scenario})

    def hurt(
        self,
        kind: str,
        *subjects: str,
        hold: float,
        undo: bool = True,
        number: int = 1,
        component: str = "galera",
        recipe: Mapping[str, Json] | None = None,
        by_hand: tuple[str, ...] = (),
    ) -> str:
        injection = Injection(
            f"i-{number}",
            kind,
            {"component": component, "pick": "active"},
            tuple(Subject(subject) for subject in subjects),
            {"name": subjects[0], "uid": "a-1"} if recipe is None else recipe,
            by_hand=by_hand,
        )
        self.event(EventKind.PREPARED, encode(injection))
        self.wait(0.08)
        self.event(EventKind.INJECTING, {"injection": injection.id})
        self.wait(0.03)
        self.event(EventKind.INJECTED, {"injection": injection.id})
        proof = self.observe("fault.took_hold", subjects[0], {"injection": injection.id, "fault": kind, "held": True})
        self.wait(hold)
        if undo:
            self.undo(injection.id, kind, subjects[0])
        return proof

    def undo(self, injection: str, kind: str, subject: str) -> None:
        self.event(EventKind.UNDOING, {"injection": injection})
        self.wait(0.4)
        self.observe("fault.is_gone", subject, {"injection": injection, "fault": kind, "gone": True})
        self.event(EventKind.UNDONE, {"injection": injection})

    def fail_undo(self, injection: str, why: str, *, seen: bool = False) -> None:
        """Journal an undo that failed; ``seen``: because the hurt is still there, not because nobody could look."""
        self.event(EventKind.UNDOING, {"injection": injection})
        self.wait(30)
        error = None if seen else why
        value: Json = {"injection": injection, "gone": False} if seen else None
        self.observe("fault.is_gone", f"injection/{injection}", value, error=error)
        self.event(EventKind.UNDO_FAILED, {"injection": injection, "why": why})

    def outage(self, path: str, start: float, end: float, *gaps: tuple[float, float]) -> str:
        outages = [
            {"from": self.at(a), "to": self.at(b), "took_s": round(b - a, 3), "detail": "connection refused"}
            for a, b in gaps
        ]
        value = {
            "path": path,
            "resolution_s": 0.02,
            "from": self.at(start),
            "to": self.at(end),
            "asked": int((end - start) * 50),
            "ok": int((end - start) * 50) - 20,
            "fail": 20,
            "outages": outages,
            "longest_s": max((b - a for a, b in gaps), default=0.0),
            "total_s": sum(b - a for a, b in gaps),
            "blind_s": 0.0,
        }
        return self.observe("outage", f"path/{path}", to_json(value))

    def save(self, *, state: str = "complete", inventory: bool = True, verdicts: bool = True) -> Path:
        folder = RunFolder(self.path)
        if inventory:
            self.event(EventKind.INVENTORY, {"file": "inventory-1.json"})
            folder.save_inventory(core_inventory())
        if state == "complete":
            self.event(EventKind.ENDED, {"reason": "complete"})
        merged = {v.requirement: v for v in sorted(self.verdicts, key=lambda v: v.outcome.weight)}
        plan = Plan(
            target=self.target,
            suite=self.suite,
            seed=20260314,
            requirements=tuple(RequirementId(r) for r in self.requirements),
            scenarios=tuple(dict.fromkeys(str(e.data["scenario"]) for e in self.events if e.data.get("scenario"))),
            grant="disrupt",
            budgets={"failover": 10.0, "operator_reconcile": 60.0, "api_answer": 5.0},
            limits={"*": 1},
        )
        run = Run(
            id=self.path.name,
            plan=plan,
            started_at=START,
            ended_at=self.now if state == "complete" else None,
            versions={"seatrial": "0.1.0", "python": "3.11.2", "kubernetes": "v1.33.1"},
            verdicts=tuple(merged.values()) if verdicts else (),
            state=state,
        )
        folder.save_run(run)
        with folder.journal.open("w", encoding="utf-8") as stream:
            for event in self.events:
                stream.write(json.dumps(encode(event), separators=(",", ":")) + "\n")
        return self.path


def replica(name: str, namespace: str, number: int) -> Replica:
    container = Container("main", ready=True, restarts=0, image="lab.local/base:1")
    return Replica(
        name,
        namespace,
        f"uid-{name}",
        f"node-{number % 3}",
        f"10.128.{number % 3}.{20 + number}",
        True,
        "Running",
        (container,),
    )


def component(service: str, name: str, kind: str, role: Role, count: int, *, namespace: str = "openstack") -> Component:
    if kind == "StatefulSet":
        names = [f"{name}-{n}" for n in range(count)]
    else:
        names = [f"{name}-{Random(name).randrange(16**6):06x}-{n:05x}" for n in range(count)]
    replicas = tuple(replica(pod, namespace, n) for n, pod in enumerate(names))
    return Component(
        service, name, kind, namespace, role, count, replicas, (Owner("OpenStackControlPlane", "controlplane", "u1"),)
    )


def core_inventory() -> Inventory:
    operators = tuple(
        Operator(
            name,
            component(
                f"{name}-operator",
                f"{name}-operator-controller-manager",
                "Deployment",
                Role.OTHER,
                1,
                namespace="openstack-operators",
            ),
            Owner("OpenStack", "openstack", "u0"),
        )
        for name in ("openstack", "mariadb", "infra", "keystone")
    )
    ready = (Condition("Ready", "True"),)
    return Inventory(
        taken_at=START,
        nodes=tuple(Node(f"node-{n}", f"172.31.0.{n + 10}", ready=True) for n in range(3)),
        components=(
            component("keystone", "keystone", "Deployment", Role.API, 2),
            component("galera", "openstack-galera", "StatefulSet", Role.DATABASE, 3),
            component("rabbitmq", "rabbitmq-server", "StatefulSet", Role.BROKER, 3),
            component("memcached", "memcached", "StatefulSet", Role.CACHE, 1),
            component("keystone", "keystone-bootstrap", "Job", Role.JOB, 1),
            *(operator.component for operator in operators),
        ),
        services=(),
        resources=(Resource("Galera", "openstack", "openstack", "u2", 1, 1, 3, ready, ()),),
        operators=operators,
        gaps=(Gap("secrets in openstack-operators", "not permitted: list secrets"),),
    )


_ROLES = {"keystone": "api", "galera": "database", "rabbitmq": "broker", "memcached": "cache"}


def side(service: str, component: str = "", replica: str = "", process: str = "") -> dict[str, Json]:
    component = component or service
    return {
        "service": service,
        "component": component,
        "replica": replica or None,
        "role": _ROLES.get(service, "other"),
        "subject": f"pod/openstack/{replica}" if replica else None,
        "process": process or None,
    }


def edge(
    source: Mapping[str, Json],
    sink: Mapping[str, Json],
    port: int,
    protocol: str,
    count: int,
    *,
    via: str | None = None,
) -> dict[str, Json]:
    return {
        "from": dict(source),
        "to": dict(sink),
        "port": port,
        "via": via,
        "protocol": protocol,
        "proof": f"{protocol} spoken",
        "count": count,
    }


def core_edges(*, forbidden: bool = False) -> list[Json]:
    api = [side("keystone", "keystone", f"keystone-{n}", "uwsgi") for n in range(2)]
    db = [side("galera", "openstack-galera", f"openstack-galera-{n}", "mariadbd") for n in range(3)]
    mq = [side("rabbitmq", "rabbitmq-server", f"rabbitmq-server-{n}", "beam.smp") for n in range(3)]
    edges: list[Json] = []
    for one in api:
        edges.append(edge(one, db[0], 3306, "mysql", 14, via="service/openstack/openstack"))
        edges.append(
            edge(
                one,
                side("memcached", "memcached", "memcached-0"),
                11211,
                "memcached",
                6,
                via="service/openstack/memcached",
            )
        )
        edges.append(edge(side("outside"), one, 5000, "http", 812, via="service/openstack/keystone-public"))
        edges.append(
            edge(side("harness", "seatrial-agent"), one, 5000, "http", 2211, via="service/openstack/keystone-internal")
        )
        edges.append(edge(side("node", "kubelet"), one, 5000, "http", 40))
        edges.append(edge(side("operator", "keystone-operator-controller-manager"), one, 5000, "http", 9))
    for a in db:
        edges += [edge(a, b, 4567, "galera", 1) for b in db if a is not b]
    for a in mq:
        edges += [edge(a, b, 25672, "erlang", 1) for b in mq if a is not b]
    edges.append(edge(side("harness", "seatrial-agent"), db[0], 3306, "mysql", 31, via="service/openstack/openstack"))
    edges.append(edge(side("harness", "seatrial-agent"), mq[1], 5672, "amqp", 12, via="service/openstack/rabbitmq"))
    for name in ("openstack", "mariadb", "infra", "keystone"):
        operator = side("operator", f"{name}-operator-controller-manager")
        edges.append(
            edge(operator, side("platform", "kubernetes API"), 6443, "tls", 55, via="service/default/kubernetes")
        )
    edges += [edge(one, side("platform", "kubernetes API"), 6443, "tls", 2) for one in db]
    edges.append(edge(side("operator", "infra-operator-controller-manager"), mq[0], 15672, "unknown", 3))
    if forbidden:
        reader = side("reports", "reports-reader", "reports-reader-7c9d", "python3")
        edges.append(edge(reader, db[0], 3306, "mysql", 42, via="service/openstack/openstack"))
        edges.append(edge(reader, db[0], 4567, "galera", 1))
    return edges


def census(edges: list[Json], *, unread: tuple[str, ...] = ()) -> dict[str, Json]:
    return {
        "watched_s": 62.4,
        "samples": 31,
        "from": START.isoformat(),
        "to": (START + timedelta(seconds=62)).isoformat(),
        "read": [f"pod/openstack/openstack-galera-{n}" for n in range(3)],
        "unread": [{"subject": subject, "why": "exec forbidden"} for subject in unread],
        "edges": edges,
        "listeners": [
            {
                "service": "keystone",
                "component": "keystone",
                "replica": "keystone-0",
                "port": 5000,
                "protocol": "http",
                "proof": "",
            },
            {
                "service": "galera",
                "component": "openstack-galera",
                "replica": "x",
                "port": 3306,
                "protocol": "mysql",
                "proof": "",
            },
            {
                "service": "galera",
                "component": "openstack-galera",
                "replica": "x",
                "port": 4567,
                "protocol": "galera",
                "proof": "",
            },
            {
                "service": "rabbitmq",
                "component": "rabbitmq-server",
                "replica": "x",
                "port": 5672,
                "protocol": "amqp",
                "proof": "",
            },
        ],
    }


def ledger(kind: str, acknowledged: int, *, unknown: int = 0, lost: tuple[int, ...] = ()) -> dict[str, Json]:
    return {
        "kind": kind,
        "acknowledged": acknowledged,
        "failed": 3,
        "unknown": unknown,
        "found": {f"pod/openstack/openstack-galera-{n}": acknowledged for n in range(3)},
        "lost": [
            {"id": one, "where": "openstack-galera-2", "what": "acknowledged, and not there", "at": START.isoformat()}
            for one in lost
        ],
        "lost_count": len(lost),
        "duplicated": [],
        "unexpected": [],
    }


def put_load(run: Recorder, seconds: int, *, dip: tuple[float, float] | None = None, rate: int = 40) -> None:
    """Journal one interval of load a second, with failures while ``dip`` lasts."""
    random = Random(1)
    for second in range(seconds):
        down = dip is not None and dip[0] <= second <= dip[1]
        run.event(
            EventKind.LOAD,
            {
                "t": run.at(second),
                "users": 20,
                "requests": random.randrange(rate - 6, rate + 6) if not down else rate // 3,
                "failures": rate // 4 if down else 0,
                "p50_ms": 21.0,
                "p95_ms": 900.0 if down else 55.0 + random.random() * 15,
            },
        )


def core_run(path: Path, *, broken: bool = False) -> Path:
    """Store a resilience run of nine requirements with three faults; ``broken`` makes two of them violate."""
    run = Recorder(path)
    put_load(run, 95, dip=(30, 32))
    run.phase("discover")
    run.wait(4)
    scenario = "Nobody reads another service's tables"
    run.phase("observe", scenario)
    unread = ("pod/openstack/memcached-0",) if broken else ()
    seen = run.observe("census", "deployment/lab-core", census(core_edges(forbidden=broken), unread=unread))
    run.wait(12)
    if broken:
        because = "reports-reader (reports) speaks galera to openstack-galera, which is for its members alone"
        run.judge(
            "API-1", "violates", because, (seen,), scenario=scenario, violating=("pod/openstack/reports-reader-7c9d",)
        )
    else:
        run.judge(
            "API-1", "conforms", "all 23 connections end at an API or stay inside a service", (seen,), scenario=scenario
        )
    calm = [
        ("API-3", "keystone.answer", "service/openstack/keystone-public", "both endpoints answer 401 without a token"),
        (
            "DB-4",
            "galera.status",
            "pod/openstack/openstack-galera-0",
            "3 members share one cluster and read each other's rows",
        ),
        (
            "SCALE-1",
            "resource.conditions",
            "galera/openstack/openstack",
            "every component has its replicas on different nodes",
        ),
        (
            "OPS-1",
            "resource.conditions",
            "openstack/openstack-operators/openstack",
            "OpenStack/openstack owns 4 of 4 operators",
        ),
        (
            "OPS-2",
            "drift",
            "service/openstack/keystone-internal",
            "3 of 3 drifts were corrected, the slowest after 2.1 s",
        ),
    ]
    for requirement, probe, subject, because in calm:
        run.phase("observe", f"{requirement} in calm")
        one = run.observe(probe, subject, {"seen": True, "status": 401, "with_token": False}, excerpt='{"error": 401}')
        run.wait(1.1)
        run.judge(requirement, "conforms", because, (one,), scenario=f"{requirement} in calm")
    scenario = "The database loses its active member under load"
    run.phase("disrupt", scenario)
    run.wait(8)
    hit = (run.now - START).total_seconds() + 0.11
    proof = run.hurt("kill_process", "pod/openstack/openstack-galera-0", hold=9, number=1)
    seen_by = (
        run.outage("http", hit - 6, hit + 16, (hit + 0.02, hit + 0.86)),
        run.outage("sql", hit - 6, hit + 16, (hit + 0.01, hit + 2.37), (hit + 7.2, hit + 7.3)),
        run.outage("amqp", hit - 6, hit + 16),
        run.outage("public", hit - 6, hit + 16, (hit + 0.02, hit + 0.91)),
        run.observe(
            "ledger",
            "ledger/sql_row",
            ledger("sql_row", 1893, unknown=4, lost=(1201, 1202) if broken else ()),
        ),
        run.observe("ledger", "ledger/keystone_project", ledger("keystone_project", 212, unknown=1)),
        proof,
    )
    if broken:
        because = "2 acknowledged rows are missing on openstack-galera-2 after its peer was killed"
        run.judge(
            "DB-5", "violates", because, seen_by, scenario=scenario, violating=("pod/openstack/openstack-galera-2",)
        )
    else:
        because = "2,105 acknowledged writes are on all 3 members; service was back after 2.36 s, within 10 s"
        run.judge("DB-5", "conforms", because, seen_by, scenario=scenario)
    scenario = "The broker loses a member"
    run.phase("disrupt", scenario)
    run.wait(6)
    hit = (run.now - START).total_seconds() + 0.11
    run.hurt("delete_pod", "pod/openstack/rabbitmq-server-1", hold=14, number=2)
    seen_by = (
        run.outage("amqp", hit - 5, hit + 20, (hit + 0.1, hit + 1.32)),
        run.observe("ledger", "ledger/amqp_message", ledger("amqp_message", 640)),
    )
    run.judge(
        "MSG-2", "conforms", "640 confirmed messages are in the quorum queue after the loss", seen_by, scenario=scenario
    )
    scenario = "All operators are paused"
    run.phase("disrupt", scenario)
    run.wait(5)
    hit = (run.now - START).total_seconds() + 0.11
    run.hurt("pause_process", "pod/openstack-operators/keystone-operator-controller-manager-1", hold=20, number=3)
    one = run.outage("public", hit - 4, hit + 22)
    if broken:
        two = run.observe("keystone.answer", "pod/openstack/keystone-1", error="Unreachable: no answer within 5 s")
        run.judge(
            "OPS-3",
            "inconclusive",
            "keystone-1 could not be asked: no answer within 5 s",
            (one, two),
            scenario=scenario,
        )
    else:
        run.judge("OPS-3", "conforms", "no request failed while 4 operators were paused", (one,), scenario=scenario)
    run.wait(4)
    return run.save()


OPERATORS = tuple(
    f"pod/openstack-operators/{name}-operator-controller-manager-{569 + number}f97f476-r{number}vtk"
    for number, name in enumerate(
        (
            "infra",
            "keystone",
            "mariadb",
            "rabbitmq-cluster",
            "glance",
            "nova",
            "neutron",
            "placement",
            "ovn",
            "openstack",
        )
    )
)
RECIPE = "a-recipe-that-only-a-machine-reads"


def red_run(path: Path, *, state: str | None = None, seen: bool = False) -> Path:
    """Store a run whose undo of ten frozen operators failed, with its long recipe, as versions before this wrote it."""
    run = Recorder(path, suite="acceptance")
    freeze_operators(run)
    why = "GET wss://10.0.0.1:6443/api/v1/namespaces/openstack-operators/pods/x/exec: no answer within 10 s"
    run.fail_undo("i-1", f'still there: {{"containers": ["{RECIPE}"]}}' if seen else why, seen=seen)
    recipe = json.dumps(dict(run.events[-1].data) | {"processes": [RECIPE] * 10})
    told = (
        f"cut short: pause_process of {', '.join(OPERATORS)} (i-1) could not be taken back: {why}\n  by hand: {recipe}"
    )
    run.event(EventKind.ENDED, {"reason": state or told})
    return run.save(state=state or told)


def freeze_operators(run: Recorder) -> None:
    """Journal two judgements, and a fault of ten subjects that nobody takes back."""
    put_load(run, 60)
    run.event(EventKind.PHASE, {"name": "opened", "target_file": "../../lab.yaml"})
    scenario = "Every member is written to and read from"
    run.phase("observe", scenario)
    run.wait(3)
    seen = run.observe("galera.status", "pod/openstack/openstack-cell1-galera-0", {"size": 1})
    run.judge("API-1", "conforms", "all 23 connections end at an API", (seen,), scenario=scenario)
    because = "pod/openstack/openstack-cell1-galera-0 is the only member of its database, so that no other takes over"
    run.judge("DB-4", "violates", because, (seen,), scenario=scenario, violating=("galera/openstack/openstack-cell1",))
    run.phase("disrupt", "Service goes on while all operators are frozen")
    by_hand = tuple(f"kill -CONT 7 in container manager of {subject.rpartition('/')[2]}" for subject in OPERATORS)
    processes: list[Json] = [{"pod": subject, "pid": 7, "id": RECIPE} for subject in OPERATORS]
    recipe: dict[str, Json] = {"processes": processes}
    run.hurt("pause_process", *OPERATORS, hold=20, undo=False, component="operators", recipe=recipe, by_hand=by_hand)
