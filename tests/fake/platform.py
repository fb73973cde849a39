"""A small cloud in memory, for what must be tried thousands of times: objects, containers, a database, a broker.

It heals as a real one does: controllers put pods back, the kubelet starts containers anew, operators correct drift,
each after a while of the clock that it is given. It stands in for the clients of one deployment, so that the real
engine, the real discovery and the real faults run on it. What it can't show is what the lab is for.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from seatrial.clients.kube import Kind, Rejected
from seatrial.clients.kube_exec import ExecResult
from seatrial.faults import proc
from seatrial.model.errors import Unreachable
from seatrial.model.target import Cloud, Grant, Kubernetes, Limits, Secret, Target
from tests.fake.clock import Clock
from tests.unit.containers import Box, Proc, Sent, run_script

SPACE, OPERATORS = "openstack", "openstack-operators"
HEALS_AFTER_S, CORRECTS_AFTER_S = 2.0, 4.0
KINDS = (
    Kind("OpenStackControlPlane", "core.openstack.org", "v1beta1", "openstackcontrolplanes"),
    Kind("Galera", "mariadb.openstack.org", "v1beta1", "galeras"),
    Kind("RabbitMq", "rabbitmq.openstack.org", "v1beta1", "rabbitmqs"),
    Kind("KeystoneAPI", "keystone.openstack.org", "v1beta1", "keystoneapis"),
)
_STATEFUL, _MADE = "StatefulSet", ("StatefulSet", "Deployment")
_TRANSPORT = "rabbit://nova:broker-password-1@rabbitmq.openstack.svc:5672/"


@dataclass(slots=True)
class Database:
    """What is in one member of the database beside the deployment's own."""

    schemas: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)


class LandsLater(Exception):  # no error of the platform, but what happens to a request
    """Raised by ``before``: the client loses the request with ``error``, and what it asks for happens after a while."""

    def __init__(self, after_s: float, error: BaseException) -> None:
        self.after_s, self.error = after_s, error
        super().__init__()


def _may_land_later(act: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(act)
    def acting(self: Platform, *args: Any, **kwargs: Any) -> Any:
        try:
            return act(self, *args, **kwargs)
        except LandsLater as late:
            self.late.append((self.clock.now + late.after_s, lambda: act(self, *args, **kwargs)))
            raise late.error from None

    return acting


class Platform:
    """One cluster with one control plane on it, and the client of its API."""

    def __init__(self, clock: Clock, *, name: str = "a") -> None:
        self.clock, self.name = clock, name
        self._ids = itertools.count(1)
        self._ticks = itertools.count(1000, 10)
        self.objects: dict[tuple[str, str | None, str], dict[str, Any]] = {}
        self.boxes: dict[tuple[str, str], dict[str, Box]] = {}
        self.databases: dict[str, Database] = {}
        self.broker_users: set[str] = {"default"}
        self.broker_queues: set[str] = {"nova"}
        self.projects: dict[str, str] = {"p-1": "admin"}
        self.replicates = True
        self.evicted: list[dict[str, Any]] = []
        """Pods that have ended and still are listed."""
        self.requests: list[str] = []
        self.sent: list[Sent] = []
        self.before: Callable[[str], None] = lambda request: None
        """Called before each request: what happens on the platform, or to the harness, meanwhile."""
        self.late: list[tuple[float, Callable[[], object]]] = []
        """Acts that are under way, and when they happen."""
        self._noticed: dict[tuple[str, ...], float] = {}
        self._build()
        self.declared = {key: copy.deepcopy(m) for key, m in self.objects.items() if _owned_by_operator(m)}
        self._heal(at_once=True)

    # -- what the harness asks

    def close(self) -> None:
        """Nothing is held."""

    def kinds(self) -> tuple[Kind, ...]:
        return KINDS

    def can_i(self, verb: str, resource: str, namespace: str | None) -> bool:
        self._asked(f"can_i {verb} {resource}")
        return True

    def get(self, kind: str, name: str, *, namespace: str | None = None) -> dict[str, Any] | None:
        self._asked(f"get {kind} {name}")
        return copy.deepcopy(self.objects.get((kind.split(".", maxsplit=1)[0], namespace, name)))

    def list(
        self, kind: str, *, namespace: str | None = None, labels: str | None = None, content: bool = True
    ) -> list[dict[str, Any]]:
        self._asked(f"list {kind}")
        plain = kind.split(".", maxsplit=1)[0]
        wanted = dict(part.split("=", 1) for part in labels.split(",")) if labels else {}
        if plain == "EndpointSlice":
            return [m for key, m in self._slices() if namespace in (None, key)]
        ended = self.evicted if plain == "Pod" else []
        return [copy.deepcopy(m) for m in ended if namespace in (None, m["metadata"]["namespace"])] + [
            copy.deepcopy(m)
            for (its, space, _), m in sorted(self.objects.items(), key=lambda entry: str(entry[0]))
            if its == plain and namespace in (None, space)
            if wanted.items() <= (m["metadata"].get("labels") or {}).items()
        ]

    @_may_land_later
    def create(self, manifest: dict[str, Any]) -> dict[str, Any]:
        key = _key(manifest)
        self._asked(f"create {key[0]} {key[2]}")
        if key in self.objects:
            raise Rejected(f"{key} exists", 409)
        return copy.deepcopy(self._put(manifest))

    @_may_land_later
    def replace(self, manifest: dict[str, Any]) -> dict[str, Any]:
        key = _key(manifest)
        self._asked(f"replace {key[0]} {key[2]}")
        now = self.objects.get(key)
        if now is None:
            raise Rejected(f"{key} is not there", 404)
        if manifest["metadata"].get("resourceVersion") not in (None, now["metadata"]["resourceVersion"]):
            raise Rejected(f"{key} was changed meanwhile", 409)
        return copy.deepcopy(self._put(manifest))

    @_may_land_later
    def patch(self, kind: str, name: str, patch: Mapping[str, Any], *, namespace: str | None = None) -> dict[str, Any]:
        self._asked(f"patch {kind} {name}")
        now = self.objects.get((kind, namespace, name))
        if now is None:
            raise Rejected(f"{kind} {name} is not there", 404)
        _merge(now, patch)
        now["metadata"]["generation"] = now["metadata"].get("generation", 1) + 1
        now["metadata"]["resourceVersion"] = str(next(self._ids))
        return copy.deepcopy(now)

    @_may_land_later
    def delete(
        self,
        kind: str,
        name: str,
        *,
        namespace: str | None = None,
        grace_s: int | None = None,
        uid: str | None = None,
    ) -> None:
        self._asked(f"delete {kind} {name}")
        now = self.objects.get((kind, namespace, name))
        if now is not None and uid in (None, now["metadata"]["uid"]):
            self._drop((kind, namespace, name))

    def secret(self, name: str, key: str, *, namespace: str) -> Secret:
        self._asked(f"get Secret {name}")
        found = self.objects.get(("Secret", namespace, name))
        if found is None:
            raise Unreachable(f"there is no secret {namespace}/{name}")
        return Secret(found["stringData"][key])

    @_may_land_later
    def exec(
        self,
        pod: str,
        argv: Sequence[str],
        *,
        namespace: str,
        container: str | None = None,
        stdin: bytes | str | None = None,
        timeout_s: float = 30,
    ) -> ExecResult:
        self._asked(f"exec {pod} {argv[0]}")
        box = self.boxes.get((namespace, pod), {}).get(container or "")
        if box is None or not box.running:
            raise Unreachable("the platform answered 500: container not found")
        if len(argv) > 2 and argv[2] == proc.SCRIPT:
            return run_script(box, argv, self.sent)
        if proc.FROZEN in {p.state for p in box.processes.values()}:
            raise Unreachable(f"exec in pod {namespace}/{pod}: no answer in time ({timeout_s:g} s)")
        if argv[0] == "rabbitmqctl":
            return self._rabbitmqctl([word for word in argv[1:] if not word.startswith("--") and word != "json"])
        assert stdin is not None, argv
        text = stdin.decode() if isinstance(stdin, bytes) else stdin
        return self._sql(pod, text)

    # -- what happens on the platform

    def settle(self) -> None:
        """Let everything heal that heals by itself."""
        for _ in range(6):
            self.clock.sleep(CORRECTS_AFTER_S + HEALS_AFTER_S)
            self._land()
            self._heal()

    def facts(self) -> dict[str, object]:
        """Return all that must be as before: names and specs, stopped processes, and what is in the stores."""
        return {
            "objects": {
                key: copy.deepcopy({part: m.get(part) for part in ("spec", "data", "stringData")})
                for key, m in sorted(self.objects.items(), key=str)
                if key[0] not in ("Pod", "ReplicaSet", "Event", "Lease")
            },
            "pods": sorted(_family(key[2]) for key in self.objects if key[0] == "Pod"),
            "not ready": sorted(key[2] for key, m in self.objects.items() if key[0] == "Pod" and not _is_ready(m)),
            "stopped": sorted(
                (pod, pid)
                for (_, pod), boxes in self.boxes.items()
                for box in boxes.values()
                for pid, process in box.processes.items()
                if box.running and process.state == proc.FROZEN
            ),
            "schemas": {member: sorted(d.schemas | d.users) for member, d in sorted(self.databases.items())},
            "broker": (sorted(self.broker_users), sorted(self.broker_queues)),
            "projects": dict(self.projects),
        }

    def _asked(self, request: str) -> None:
        self.requests.append(request)
        self.clock.sleep(0.01)
        self.before(request)
        self._land()
        self._heal()

    def _land(self) -> None:
        """Carry out what was under way for long enough, and nobody hears of how it ends."""
        due = [act for at, act in self.late if at <= self.clock.now]
        self.late = [(at, act) for at, act in self.late if at > self.clock.now]
        before, self.before = self.before, lambda request: None
        try:
            for act in due:
                with suppress(Exception):
                    act()
        finally:
            self.before = before

    def _heal(self, *, at_once: bool = False) -> None:
        for kind, space, name in [key for key in self.objects if key[0] in _MADE]:
            self._control(self.objects[kind, space, name], str(space), at_once=at_once)
        for (space, pod), boxes in list(self.boxes.items()):
            for container, box in list(boxes.items()):
                if not box.running and self._ripe(("box", space, pod, container), HEALS_AFTER_S, at_once):
                    boxes[container] = self._box(box.daemon)
                    self._status(self.objects["Pod", space, pod])["restartCount"] += 1
        for key, wanted in self.declared.items():
            self._correct(key, wanted, at_once=at_once)
        for key in [key for key in self.objects if key[0] == "Pod"]:
            self._report(self.objects[key])

    def _control(self, workload: dict[str, Any], space: str, *, at_once: bool) -> None:
        name, count = workload["metadata"]["name"], workload["spec"]["replicas"]
        pods = sorted(key[2] for key in self.objects if key[:2] == ("Pod", space) and _family(key[2]) == name)
        if workload["kind"] == _STATEFUL:
            missing = [f"{name}-{i}" for i in range(count) if f"{name}-{i}" not in pods]
            surplus = [pod for pod in pods if int(pod.rpartition("-")[2]) >= count]
        else:
            missing = [f"{name}-5d8f-{next(self._ids):05d}" for _ in range(count - len(pods))]
            surplus = pods[count:]
        for pod in surplus:
            self._drop(("Pod", space, pod))
        if missing and self._ripe(("pods", space, name), HEALS_AFTER_S, at_once):
            for pod in missing:
                self._pod(workload, pod)

    def _correct(self, key: tuple[str, str | None, str], wanted: dict[str, Any], *, at_once: bool) -> None:
        now = self.objects.get(key)
        right = now is not None and all(now.get(part) == wanted.get(part) for part in ("spec", "data"))
        works = self._works(wanted["metadata"]["labels"]["made-by"])
        if not right and works and self._ripe(("drift", *map(str, key)), CORRECTS_AFTER_S, at_once):
            if now is None:
                self._put({**copy.deepcopy(wanted), "metadata": _unnamed(wanted["metadata"])})
            else:
                now.update({part: copy.deepcopy(wanted[part]) for part in ("spec", "data") if part in wanted})
                now["metadata"]["generation"] += 1

    def _works(self, operator: str) -> bool:
        """Tell whether an operator has a pod whose processes run."""
        return any(
            box.running and not any(p.state == proc.FROZEN for p in box.processes.values())
            for (space, pod), boxes in self.boxes.items()
            if space == OPERATORS and pod.startswith(operator)
            for box in boxes.values()
        )

    def _ripe(self, what: tuple[str, ...], after_s: float, at_once: bool) -> bool:
        """Tell whether something has been amiss for as long as healing takes."""
        since = self._noticed.setdefault(what, self.clock.now)
        if not at_once and self.clock.now - since < after_s:
            return False
        del self._noticed[what]
        return True

    # -- how it is built

    def _build(self) -> None:
        for space in ("kube-system", SPACE, OPERATORS):
            self._put(_object("Namespace", None, space))
        for i in range(3):
            status = {"conditions": [{"type": "Ready", "status": "True"}]}
            self._put({**_object("Node", None, f"node-{i}"), "status": status})
        plane = self._put(_object("OpenStackControlPlane", SPACE, "openstack", api="core.openstack.org/v1beta1"))
        meta = self._workload(
            "Deployment", OPERATORS, "openstack-operator", 1, owner=None, container="manager", operator="openstack"
        )
        for operator in ("mariadb", "rabbitmq", "keystone"):
            self._workload(
                "Deployment", OPERATORS, f"{operator}-operator", 1, owner=meta, container="manager", operator=operator
            )
        parts = (
            ("Galera", "mariadb", "openstack", _STATEFUL, "openstack-galera", "galera", "mysqld"),
            ("RabbitMq", "rabbitmq", "rabbitmq", _STATEFUL, "rabbitmq-server", "rabbitmq", "beam.smp"),
            ("KeystoneAPI", "keystone", "keystone", "Deployment", "keystone", "keystone-api", "uwsgi"),
        )
        for kind, group, name, made, workload, container, daemon in parts:
            own = self._put(
                {
                    **_object(kind, SPACE, name, api=f"{group}.openstack.org/v1beta1", owner=plane),
                    "spec": {"replicas": 3 if made == _STATEFUL else 2, "secret": "osp-secret"},
                    "status": {"rootDatabaseSecret": "openstack-db-root"},
                }
            )
            count = own["spec"]["replicas"]
            self._workload(
                made, SPACE, workload, count, owner=own, container=container, daemon=daemon, made_by=f"{group}-operator"
            )
            self._put(
                {
                    **_object("Service", SPACE, f"{name}-internal", owner=own, made_by=f"{group}-operator"),
                    "spec": {"clusterIP": "172.30.0.9", "selector": {"app": workload}, "ports": [{"port": 3306}]},
                }
            )
            self._put(
                {
                    **_object("ConfigMap", SPACE, f"{name}-config-data", owner=own, made_by=f"{group}-operator"),
                    "data": {"settings": "debug = false"},
                }
            )
        for name, secret in {"openstack-db-root": {"DatabasePassword": "root-password-1"}}.items():
            self._put({**_object("Secret", SPACE, name), "stringData": secret})

    def _workload(
        self,
        kind: str,
        space: str,
        name: str,
        count: int,
        *,
        owner: dict[str, Any] | None,
        container: str,
        daemon: str = "operator",
        operator: str = "",
        made_by: str = "openstack-operator",
    ) -> dict[str, Any]:
        labels = {"app": name} | ({"openstack.org/operator-name": operator} if operator else {})
        made = _object(kind, space, name, api="apps/v1", owner=owner, made_by="" if owner is None else made_by)
        made["metadata"]["labels"] |= labels
        made["spec"] = {
            "replicas": count,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "container": container, "daemon": daemon},
        }
        stored = self._put(made)
        if kind == "Deployment":
            carried = _object("ReplicaSet", space, f"{name}-5d8f", api="apps/v1", owner=stored)
            self._put(carried)
        return stored

    def _pod(self, workload: dict[str, Any], name: str) -> None:
        space, template = workload["metadata"]["namespace"], workload["spec"]["template"]
        family = workload["metadata"]["name"]
        owner = workload if workload["kind"] == _STATEFUL else self.objects["ReplicaSet", space, f"{family}-5d8f"]
        made = _object("Pod", space, name, owner=owner)
        made["metadata"]["labels"] = dict(template["metadata"]["labels"])
        made["spec"] = {
            "nodeName": f"node-{len(self.boxes) % 3}",
            "containers": [{"name": template["container"], "image": "registry/image:1"}],
        }
        self._put(made)
        self.boxes[space, name] = {template["container"]: self._box(template["daemon"])}
        if template["container"] == "galera":
            # A member that comes anew takes over what the others have.
            others = [copy.deepcopy(d) for member, d in self.databases.items() if member != name]
            self.databases[name] = others[0] if others else Database()

    def _box(self, daemon: str) -> Box:
        first, second = next(self._ticks), next(self._ticks)
        processes = {1: Proc(0, "S", first, "dumb-init"), 7: Proc(1, "S", second, daemon)}
        return Box(f"cri://{self.name}-{next(self._ids)}", processes, daemon=daemon)

    def _put(self, manifest: dict[str, Any]) -> dict[str, Any]:
        stored = copy.deepcopy(manifest)
        metadata = stored["metadata"]
        known = self.objects.get(_key(stored))
        metadata["uid"] = known["metadata"]["uid"] if known else f"uid-{self.name}-{next(self._ids)}"
        metadata["generation"] = (known["metadata"]["generation"] if known else 0) + 1
        metadata["resourceVersion"] = str(next(self._ids))
        self.objects[_key(stored)] = stored
        if stored["kind"] == "Pod" and not metadata.get("ownerReferences"):
            containers = {c["name"]: self._box("python3") for c in stored["spec"]["containers"]}
            self.boxes[metadata["namespace"], metadata["name"]] = containers
        return stored

    def _drop(self, key: tuple[str, str | None, str]) -> None:
        del self.objects[key]
        if key[0] == "Pod":
            for box in self.boxes.pop((str(key[1]), key[2]), {}).values():
                box.running = False

    def _status(self, pod: dict[str, Any]) -> dict[str, Any]:
        status: dict[str, Any] = pod.setdefault("status", {"restartCount": 0})
        return status

    def _report(self, pod: dict[str, Any]) -> None:
        """Let the kubelet say what the pod's containers are."""
        boxes = self.boxes[pod["metadata"]["namespace"], pod["metadata"]["name"]]
        works = all(b.running and not any(p.state == proc.FROZEN for p in b.processes.values()) for b in boxes.values())
        status = self._status(pod)
        status |= {
            "phase": "Running",
            "podIP": "10.128.0.9",
            "conditions": [{"type": "Ready", "status": "True" if works else "False"}],
            "containerStatuses": [
                {
                    "name": name,
                    "ready": works,
                    "image": "registry/image:1",
                    "restartCount": status["restartCount"],
                    "containerID": box.id,
                    "state": {"running": {}} if box.running else {"terminated": {}},
                }
                for name, box in boxes.items()
            ],
        }

    def _slices(self) -> Iterator[tuple[str | None, dict[str, Any]]]:
        for (kind, space, name), service in sorted(self.objects.items(), key=str):
            if kind == "Service":
                selector = service["spec"]["selector"].items()
                pods = [
                    m for (k, s, _), m in self.objects.items()
                    if (k, s) == ("Pod", space) and selector <= m["metadata"]["labels"].items()
                ]  # fmt: skip
                yield (
                    space,
                    {
                        "metadata": {"name": name, "namespace": space, "labels": {"kubernetes.io/service-name": name}},
                        "endpoints": [
                            {
                                "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]},
                                "conditions": {"ready": _is_ready(pod)},
                            }
                            for pod in pods
                        ],
                    },
                )

    # -- database and broker

    def _sql(self, member: str, text: str) -> ExecResult:
        own = self.databases[member]
        found = re.search(r"WHERE schema_name = '(\w+)'", text)
        if found:
            count = (found[1] in own.schemas) + (found[1] in own.users)
            return ExecResult(f"found\n{count}\n", "", 0)
        for database in self.databases.values() if self.replicates else [own]:
            database.schemas |= set(re.findall(r"CREATE DATABASE (\w+)", text))
            database.users |= set(re.findall(r"CREATE USER '(\w+)'", text))
            database.schemas -= set(re.findall(r"DROP DATABASE IF EXISTS (\w+)", text))
            database.users -= set(re.findall(r"DROP USER IF EXISTS '(\w+)'", text))
        return ExecResult("", "", 0)

    def _rabbitmqctl(self, words: Sequence[str]) -> ExecResult:
        command, last = words[0], words[-1]
        if command == "list_users":
            return ExecResult(json.dumps([{"user": user} for user in sorted(self.broker_users)]), "", 0)
        if command == "list_queues":
            return ExecResult(json.dumps([{"name": queue} for queue in sorted(self.broker_queues)]), "", 0)
        known = {"delete_user": self.broker_users, "delete_queue": self.broker_queues}
        if command == "add_user":
            self.broker_users.add(last)
        elif command in known and last not in known[command]:
            return ExecResult("", f"{last} does not exist", 70)
        elif command in known:
            known[command].remove(last)
        return ExecResult("", "", 0)


class Projects:
    """The cloud's API, as far as equipment needs it."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def close(self) -> None:
        """Nothing is held."""

    def projects(self) -> dict[str, str]:
        self._platform._asked("projects")
        return dict(self._platform.projects)

    def delete_project(self, identity: str) -> None:
        self._platform._asked("delete project")
        self._platform.projects.pop(identity, None)


class Deployment:
    """The clients that reach the platform, as the engine is given them; each process makes its own."""

    def __init__(self, platform: Platform, **target: Any) -> None:
        self.kube: Any = platform
        self.openstack: Any = Projects(platform)
        kubernetes, cloud = Kubernetes((Path("kubeconfig"),)), Cloud(Path("clouds.yaml"), "cloud")
        own = {"grant": Grant.DISRUPT, "limits": Limits({"*": 9}), **target}
        self.target = Target(own.pop("name", "fake"), kubernetes, cloud, **own)

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Deployment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _object(
    kind: str,
    space: str | None,
    name: str,
    *,
    api: str = "v1",
    owner: dict[str, Any] | None = None,
    made_by: str = "",
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": {"made-by": made_by} if made_by else {}}
    if space is not None:
        metadata["namespace"] = space
    if owner is not None:
        its = {"kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        metadata["ownerReferences"] = [{"apiVersion": owner["apiVersion"], **its, "controller": True}]
    return {"apiVersion": api, "kind": kind, "metadata": metadata}


def _key(manifest: Mapping[str, Any]) -> tuple[str, str | None, str]:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace"), metadata["name"]


def _owned_by_operator(manifest: Mapping[str, Any]) -> bool:
    return bool((manifest["metadata"].get("labels") or {}).get("made-by"))


def _unnamed(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if key not in ("uid", "generation", "resourceVersion")}


def _family(pod: str) -> str:
    """Return the workload that a pod's name belongs to."""
    return re.sub(r"-5d8f-\d+$|-\d+$", "", pod)


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _merge(now: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        if value is None:
            now.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(now.get(key), dict):
            _merge(now[key], value)
        else:
            now[key] = copy.deepcopy(value)
