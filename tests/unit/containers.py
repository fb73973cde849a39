"""A platform of a few pods whose containers can be replaced between any two requests, for faults on processes.

It stands in for the client of the platform. What it does with the script that faults send is what /bin/sh does with it
(test_process_script.py runs the real one): it refuses, signals and lists in one step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from seatrial.clients.kube_exec import ExecResult
from seatrial.faults import proc
from seatrial.model.errors import Unreachable
from seatrial.model.inventory import Component, Container, Inventory, Replica, Role
from seatrial.model.target import Limits
from tests.unit.eyes_evidence import NOW

NAMESPACE = "openstack"


@dataclass(slots=True)
class Proc:
    """One process in a container: what /proc says of it."""

    parent: int
    state: str
    started: int
    name: str


@dataclass(frozen=True, slots=True)
class Sent:
    """One signal that a process has got."""

    container: str
    pid: int
    started: int
    signal: str


@dataclass(slots=True)
class Box:
    """One container while it lives."""

    id: str
    processes: dict[int, Proc]
    running: bool = True
    shell: bool = True
    init_is_shell: bool = False
    daemon: str = "mysqld"


@dataclass(slots=True)
class Pod:
    """One pod: its containers by name, those of kubelet's list in its order."""

    name: str
    uid: str
    boxes: dict[str, Box]
    restarts: int = 0


class Containers:
    """The platform: objects as far as the faults ask for them, and exec."""

    def __init__(
        self, *, workload: str = "openstack-galera", names: Sequence[str] = ("galera",), pods: int = 1
    ) -> None:
        self.workload, self.names = workload, tuple(names)
        self._ticks, self._ids = itertools.count(1000, 10), itertools.count(1)
        self.pods = {f"{self.workload}-{i}": self._pod(f"{self.workload}-{i}") for i in range(pods)}
        self.sent: list[Sent] = []
        self.uptime_s = 1000.0
        self.between: Callable[[str], None] = lambda request: None
        """Called before each request: what happens on the platform meanwhile."""
        self.seen: dict[str, dict[str, Any] | None] | None = None
        """What the platform's API shows while it lags behind; None while it shows what is so."""

    # -- what happens on the platform

    def tick(self) -> int:
        return next(self._ticks)

    def box(self, pod: str | None = None, container: str | None = None) -> Box:
        """Return a container: of the first pod, the first, when not told otherwise."""
        return self.pods[pod or f"{self.workload}-0"].boxes[container or self.names[0]]

    def add(self, box: Box, name: str, *, parent: int = 7, state: str = "S", pid: int | None = None) -> int:
        """Start a process."""
        number = pid or max(box.processes) + 1
        box.processes[number] = Proc(parent, state, self.tick(), name)
        return number

    def restart(self, pod: str | None = None, container: str | None = None) -> Box:
        """Start a container anew in its pod, as after its daemon has ended."""
        its = self.pods[pod or f"{self.workload}-0"]
        its.restarts += 1
        its.boxes[container or self.names[0]] = self._box()
        return its.boxes[container or self.names[0]]

    def replace(self, pod: str | None = None) -> Box:
        """Put another pod of the same name in a pod's place."""
        name = pod or f"{self.workload}-0"
        self.pods[name] = self._pod(name)
        return self.box(name)

    def lag(self) -> None:
        """Let the API show from now on what is so now."""
        self.seen = {name: self._manifest(pod) for name, pod in self.pods.items()}

    # -- what faults ask

    def get(self, kind: str, name: str, *, namespace: str | None = None) -> dict[str, Any] | None:
        self.between("get")
        if kind == "StatefulSet":
            spec = {"replicas": len(self.pods), "selector": {"matchLabels": {}}}
            return {"metadata": {"name": name, "uid": "uid-workload"}, "spec": spec}
        if self.seen is not None:
            return self.seen.get(name)
        return self._manifest(self.pods[name]) if name in self.pods else None

    def list(self, kind: str, *, namespace: str | None = None, labels: str | None = None) -> list[dict[str, Any]]:
        self.between("list")
        if self.seen is not None:
            return [manifest for manifest in self.seen.values() if manifest is not None]
        return [self._manifest(pod) for pod in self.pods.values()]

    def exec(
        self, pod: str, argv: Sequence[str], *, namespace: str, container: str | None = None, **_: Any
    ) -> ExecResult:
        self.between("exec")
        return self.inside(pod, argv, container)

    def inside(self, pod: str, argv: Sequence[str], container: str | None) -> ExecResult:
        """Run what an exec brings, now."""
        assert list(argv[:4]) == ["/bin/sh", "-c", proc.SCRIPT, "sh"]
        box = self.pods[pod].boxes[container or ""] if pod in self.pods else None
        if box is None or not box.running:
            raise Unreachable("the platform answered 500: container not found")
        return run_script(box, argv, self.sent, uptime_s=self.uptime_s)

    def _pod(self, name: str) -> Pod:
        return Pod(name, f"uid-{next(self._ids)}", {container: self._box() for container in self.names})

    def _box(self) -> Box:
        first, second = self.tick(), self.tick()
        return Box(f"cri://{next(self._ids)}", {1: Proc(0, "S", first, "dumb-init"), 7: Proc(1, "S", second, "mysqld")})

    def _manifest(self, pod: Pod) -> dict[str, Any]:
        ready = all(box.running for box in pod.boxes.values())
        owner = {"kind": "StatefulSet", "name": self.workload, "controller": True}
        return {
            "metadata": {"name": pod.name, "namespace": NAMESPACE, "uid": pod.uid, "ownerReferences": [owner]},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
                "containerStatuses": [
                    {
                        "name": name,
                        "restartCount": pod.restarts,
                        "containerID": box.id,
                        "state": {"running": {}} if box.running else {"terminated": {}},
                    }
                    for name, box in pod.boxes.items()
                ],
            },
        }

    # -- what the faults are given

    def inventory(self, service: str = "galera") -> Inventory:
        """Return what discovery would have found just now."""
        containers = tuple(Container(name, True, 0) for name in self.names)
        replicas = tuple(
            Replica(pod.name, NAMESPACE, pod.uid, "node-0", "10.0.0.1", True, "Running", containers)
            for pod in self.pods.values()
        )
        one = Component(
            service, self.workload, "StatefulSet", NAMESPACE, Role.DATABASE, len(replicas), replicas, owners=()
        )
        return Inventory(NOW, (), (one,), (), (), (), ())


def run_script(box: Box, argv: Sequence[str], sent: list[Sent], *, uptime_s: float = 1000.0) -> ExecResult:
    """Do in a container what /bin/sh does with the script of faults."""
    if not box.shell:
        return ExecResult("", 'exec: "/bin/sh": stat /bin/sh: no such file or directory', 128)
    signal, expected, latest, *targets = argv[4:]
    told = [f"init {box.processes[1].started}", f"uptime {uptime_s:.2f}", *["shell"] * box.init_is_shell]
    if latest and int(uptime_s) > int(latest):
        told.append("late")
    elif expected in ("", str(box.processes[1].started)):
        told += [_signalled(box, signal, target, sent) for target in targets]
    if not box.running:
        raise Unreachable("exec broke off without a status")
    told += [f"process {n} {p.parent} {p.state} {p.started} {p.name}" for n, p in box.processes.items()]
    return ExecResult("\n".join([*told, "end"]) + "\n", "", 0)


def _signalled(box: Box, signal: str, target: str, sent: list[Sent]) -> str:
    pid, started, name = target.split(" ", 2)
    found = box.processes.get(int(pid))
    if found is None or (str(found.started), found.name) != (started, name):
        return f"gone {target}"
    sent.append(Sent(box.id, int(pid), found.started, signal))
    if signal == "KILL":
        end(box, int(pid))
    else:
        found.state = {"STOP": "T", "CONT": "S"}[signal]
    return f"sent {target}"


def end(box: Box, pid: int) -> None:
    """End a process; a container ends with the one child of its init, a shell as process 1 starts another."""
    ended = box.processes.pop(pid)
    if box.init_is_shell:
        box.processes[pid + 100] = Proc(ended.parent, "S", ended.started + 1, ended.name)
    elif ended.parent == proc.INIT:
        box.processes.clear()
        box.running = False


@dataclass(slots=True)
class Deployment:
    """What faults act on: the platform and, of the target, its limits."""

    kube: Any
    target: Any = field(default_factory=lambda: SimpleNamespace(limits=Limits({"*": 9}), budgets={}))
