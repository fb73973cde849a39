"""The infra operator: what a broker cluster is made of, who its members are, and how services are told of it."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial_lab.operators.common.conditions import Conditions
from seatrial_lab.operators.common.kube import ExecResult, Kube
from seatrial_lab.operators.common.reconciler import NotYet, Round
from seatrial_lab.operators.common.resources import RABBITMQ, SECRET, STATEFUL_SET, Json, Resource, resource_of
from seatrial_lab.operators.infra import rabbitmq
from seatrial_lab.operators.infra.brokers import membership_of
from seatrial_lab.operators.infra.transport_url import url_of

NODES = [f"rabbit@mq-server-{n}.mq-nodes.cloud" for n in range(5)]


class Api:
    """Stands in for the API server: objects by kind and name; commands in pods are answered by a function."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Json] = {}
        self.commands: list[list[str]] = []
        self.running = NODES[:3]
        self.members = NODES[:3]

    async def get(self, resource: Resource, name: str, **_: object) -> Json | None:
        return self.objects.get((resource.kind, name))

    async def list(self, resource: Resource, **_: object) -> list[Json]:
        return [found for (kind, _), found in self.objects.items() if kind == resource.kind]

    async def create(self, manifest: Json) -> Json | None:
        key = (resource_of(manifest).kind, manifest["metadata"]["name"])
        return None if key in self.objects else await self.apply(manifest)

    async def apply(self, manifest: Json) -> Json:
        key = (resource_of(manifest).kind, manifest["metadata"]["name"])
        before = self.objects.get(key, {})
        self.objects[key] = {**manifest, "status": before.get("status", {})}
        self.objects[key]["metadata"] = {**manifest["metadata"], "generation": 1}
        return self.objects[key]

    async def delete(self, resource: Resource, name: str, **_: object) -> None:
        self.objects.pop((resource.kind, name), None)

    async def exec(self, pod: str, argv: list[str], **_: object) -> ExecResult:
        self.commands.append(argv)
        if "cluster_status" in argv:
            versions = {node: {"rabbitmq_version": "3.10.8"} for node in self.running}
            told = {"disk_nodes": self.members, "running_nodes": self.running, "versions": versions}
            return ExecResult(json.dumps(told), "", 0)
        if argv[0] == "cat":
            return ExecResult(
                "default_user = default_user_mq\ndefault_pass = known\n" if "default_user" in argv[1] else "c00kie",
                "",
                0,
            )
        return ExecResult("[]", "", 0)

    def pods(self, count: int, *, born: str = "a") -> None:
        for n in range(count):
            status = {"containerStatuses": [{"containerID": f"{born}{n}", "state": {"running": {}}}]}
            self.objects["Pod", f"mq-server-{n}"] = {"metadata": {"name": f"mq-server-{n}"}, "status": status}

    def ready(self, count: int) -> None:
        self.objects["StatefulSet", "mq-server"]["status"] = {
            "observedGeneration": 1,
            "replicas": count,
            "readyReplicas": count,
            "currentRevision": "r",
            "updateRevision": "r",
        }


def round_of(api: Api, status: Json | None = None, **spec: Any) -> Round:
    cr = {
        "apiVersion": RABBITMQ.api_version,
        "kind": "RabbitMq",
        "metadata": {"name": "mq", "namespace": "cloud", "uid": "u"},
        "spec": {"replicas": 3, **spec},
    }
    conditions = Conditions(rabbitmq.RABBITMQ_CONTROLLER.conditions)
    return Round(cast("Kube", api), cr, conditions, {} if status is None else status)


def reconcile(this: Round) -> str | None:
    """One round; returns what it waits for."""
    try:
        asyncio.run(rabbitmq.reconcile(this))
    except NotYet as wait:
        return f"{wait.condition}: {wait}"
    return None


def settled(api: Api) -> Round:
    reconcile(round_of(api))
    api.pods(3)
    api.ready(3)
    this = round_of(api)
    assert reconcile(this) is None
    return this


def test_a_cluster_has_the_objects_and_owners_of_rhoso() -> None:
    """Names and owner as upstream's own assert lists them (rhoso-samples/rabbitmq-assert.yaml)."""
    api = Api()
    assert reconcile(round_of(api)) == "DeploymentReady: 0 of 3 brokers are ready"
    assert set(api.objects) == {
        ("StatefulSet", "mq-server"),
        ("Service", "mq"),
        ("Service", "mq-nodes"),
        ("Secret", "mq-default-user"),
        ("Secret", "mq-erlang-cookie"),
        ("ConfigMap", "mq-plugins-conf"),
        ("ConfigMap", "mq-server-conf"),
        ("PodDisruptionBudget", "mq-server"),
    }
    for made in api.objects.values():
        assert [(o["kind"], o["name"]) for o in made["metadata"]["ownerReferences"]] == [("RabbitMq", "mq")]
        assert made["metadata"]["labels"]["app.kubernetes.io/name"] == "mq"
    assert api.objects["Service", "mq-nodes"]["spec"]["publishNotReadyAddresses"] is True
    conf = api.objects["ConfigMap", "mq-server-conf"]["data"]["operatorDefaults.conf"]
    assert "cluster_partition_handling = pause_minority" in conf
    assert [line.split(" = ")[1] for line in conf.splitlines() if "classic_config.nodes" in line] == NODES[:3]


def test_no_secret_is_said_outside_of_secrets() -> None:
    """Password and cookie reach the brokers in files alone, never in a manifest of pods."""
    api = Api()
    reconcile(round_of(api))
    hidden = [
        base64.b64decode(value).decode()
        for (kind, _), made in api.objects.items()
        if kind == "Secret"
        for key, value in made["data"].items()
        if key in ("password", ".erlang.cookie")
    ]
    said = json.dumps([made for (kind, _), made in api.objects.items() if kind != "Secret"])
    assert len(hidden) == 2
    assert not [secret for secret in hidden if secret in said]


def test_ready_means_one_cluster_and_not_so_many_pods() -> None:
    """Three brokers that are ready, one of which founded a cluster of its own, are not a cluster of three."""
    api = Api()
    reconcile(round_of(api))
    api.pods(3)
    api.ready(3)
    api.running = NODES[:2]
    assert reconcile(round_of(api)) == f"DeploymentReady: not in one cluster: {NODES[2]}"
    api.running = NODES[:3]
    this = round_of(api)
    assert reconcile(this) is None
    assert this.status["readyCount"] == 3
    assert this.status["currentVersion"] == "3.10.8"


def test_brokers_are_asked_once_for_each_set_of_containers() -> None:
    """A question costs a second of processor: it is put when a container is new, not in every round."""
    api = Api()
    status = settled(api).status
    asked = len(api.commands)
    assert reconcile(round_of(api, status)) is None
    assert len(api.commands) == asked
    api.pods(3, born="b")
    assert reconcile(round_of(api, status)) is None
    assert len(api.commands) > asked


@pytest.mark.parametrize("lost", ["mq-erlang-cookie", "mq-default-user"])
def test_a_lost_secret_comes_back_as_the_brokers_know_it(lost: str) -> None:
    """They keep cookie and user in their volumes: new ones would lock everybody out."""
    api = Api()
    status = settled(api).status
    del api.objects["Secret", lost]
    assert reconcile(round_of(api, status)) is None
    back = {key: base64.b64decode(value).decode() for key, value in api.objects["Secret", lost]["data"].items()}
    assert back.get("password", "known") == "known"
    assert back.get(".erlang.cookie", "c00kie") == "c00kie"


def test_growing_leaves_the_running_brokers_alone_and_gives_the_new_ones_their_share() -> None:
    """The template does not change with the number of brokers; quorum queues get members on the new ones."""
    api = Api()
    status = settled(api).status
    template = json.dumps(api.objects["StatefulSet", "mq-server"]["spec"]["template"], sort_keys=True)
    reconcile(round_of(api, status, replicas=5))
    assert json.dumps(api.objects["StatefulSet", "mq-server"]["spec"]["template"], sort_keys=True) == template
    api.pods(5)
    api.ready(5)
    api.running = api.members = NODES
    assert reconcile(round_of(api, status, replicas=5)) is None
    assert [c[:3] for c in api.commands if c[1] == "grow"] == [["rabbitmq-queues", "grow", node] for node in NODES[3:]]


def test_shrinking_makes_the_rest_forget_who_went() -> None:
    """A member that never comes back would count against every majority."""
    api = Api()
    status = settled(api).status
    api.pods(1)
    for gone in ("mq-server-1", "mq-server-2"):
        api.objects.pop(("Pod", gone))
    reconcile(round_of(api, status, replicas=1))
    api.ready(1)
    api.running = NODES[:1]
    assert reconcile(round_of(api, status, replicas=1)) is None
    assert [c[2] for c in api.commands if c[1] == "forget_cluster_node"] == NODES[1:3]
    assert ("PodDisruptionBudget", "mq-server") not in api.objects


def test_the_size_of_volumes_stays_what_it_was() -> None:
    """Kubernetes forbids to change it; a resource that asks for another must not stop everything else."""
    api = Api()
    status = settled(api).status
    assert reconcile(round_of(api, status, persistence={"storage": "9Gi"})) is None
    [claim] = api.objects["StatefulSet", "mq-server"]["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "1Gi"


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_url_gives_back_any_user_and_password(user: str, password: str) -> None:
    """Whatever characters they are made of."""
    url = urlsplit(url_of({"username": user, "password": password, "host": "mq.cloud.svc", "port": "5672"}))
    assert (unquote(url.username or ""), unquote(url.password or "")) == (user, password)
    assert (url.scheme, url.hostname, url.port, url.path) == ("rabbit", "mq.cloud.svc", 5672, "/")


def test_membership_is_read_as_the_broker_tells_it() -> None:
    """A member may be known and not run."""
    answer = {"disk_nodes": ["a", "b"], "ram_nodes": ["c"], "running_nodes": ["a"], "versions": {}}
    told = membership_of(json.dumps(answer))
    assert (told.members, told.running, told.version) == (frozenset("abc"), frozenset("a"), "")


def test_secrets_and_workload_are_watched() -> None:
    """What is not watched is only put right at the next look."""
    assert {STATEFUL_SET, SECRET} <= set(rabbitmq.RABBITMQ_CONTROLLER.owns)
