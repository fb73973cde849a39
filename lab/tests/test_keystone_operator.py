"""The keystone operator: how far it goes with what it has, what it does once and what again, and what it never says."""

from __future__ import annotations

import asyncio
import base64
import configparser
import json
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from seatrial_lab.operators.common.conditions import Conditions
from seatrial_lab.operators.common.database import Login
from seatrial_lab.operators.common.kube import Kube
from seatrial_lab.operators.common.messaging import Transport
from seatrial_lab.operators.common.reconciler import NotYet, Round
from seatrial_lab.operators.common.resources import KEYSTONE_API, Json, Resource, resource_of
from seatrial_lab.operators.keystone import api as keystone
from seatrial_lab.operators.keystone import config

ADMIN, DATABASE, BUS = "admin-password", "database-password", "bus-password"


def encoded(**data: str) -> Json:
    return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}


class Api:
    """Stands in for the API server, with the other operators' work played by the test."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Json] = {}
        self.put("Secret", "osp-secret", data=encoded(AdminPassword=ADMIN))

    def put(self, kind: str, name: str, **content: Any) -> None:
        self.objects[kind, name] = {"metadata": {"name": name, "generation": 1}, **content}

    def is_ready(self, kind: str, name: str, **status: Any) -> None:
        ready = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}], **status}
        self.objects[kind, name]["status"] = ready

    async def get(self, resource: Resource, name: str, **_: object) -> Json | None:
        return self.objects.get((resource.kind, name))

    async def create(self, manifest: Json) -> Json | None:
        key = (resource_of(manifest).kind, manifest["metadata"]["name"])
        return None if key in self.objects else await self.apply(manifest)

    async def apply(self, manifest: Json) -> Json:
        key = (resource_of(manifest).kind, manifest["metadata"]["name"])
        before = self.objects.get(key, {})
        meta = {**manifest["metadata"], "generation": 1, "uid": "u"}
        spec = {**before.get("spec", {}), **manifest.get("spec", {})}
        self.objects[key] = {**manifest, "metadata": meta, "spec": spec, "status": before.get("status", {})}
        return self.objects[key]

    async def delete(self, resource: Resource, name: str, **_: object) -> None:
        self.objects.pop((resource.kind, name), None)

    def others_do_their_part(self) -> None:
        """Bus, cache, database and load balancer are there."""
        self.put("Memcached", "memcached")
        self.is_ready("Memcached", "memcached", serverList=["memcached-0.memcached.cloud.svc:11211"])
        if ("TransportURL", "keystone-keystone-transport") in self.objects:
            url = f"rabbit://u:{BUS}@rabbitmq.cloud.svc:5672/?ssl=0"
            self.put("Secret", "bus", data=encoded(transport_url=url, quorumqueues="true"))
            self.is_ready("TransportURL", "keystone-keystone-transport", secretName="bus")
        if ("MariaDBAccount", "keystone") in self.objects:
            self.put("Secret", "keystone-db-secret", data=encoded(DatabasePassword=DATABASE))
            self.objects["MariaDBAccount", "keystone"]["spec"]["userName"] = "keystone_1a2b"
            self.is_ready("MariaDBAccount", "keystone", currentSecret="keystone-db-secret")
            self.is_ready("MariaDBDatabase", "keystone")
        if ("Service", "keystone-public") in self.objects:
            self.objects["Service", "keystone-public"]["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.80"}]}}

    def jobs(self) -> set[str]:
        return {name for kind, name in self.objects if kind == "Job"}

    def jobs_succeed(self) -> None:
        for job in self.jobs():
            self.objects["Job", job]["status"] = {"succeeded": 1}

    def all_replicas_serve(self) -> None:
        counts = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "observedGeneration": 1}
        self.objects["Deployment", "keystone"]["status"] = counts


class Cloud:
    """One KeystoneAPI and its status from round to round."""

    def __init__(self) -> None:
        self.api = Api()
        self.status: Json = {}
        self.spec: Json = {
            "replicas": 2,
            "secret": "osp-secret",
            "databaseInstance": "openstack",
            "override": {"service": {"public": {"spec": {"type": "LoadBalancer"}}}},
        }
        self.conditions = Conditions(())

    def round(self) -> str | None:
        """One round; returns the condition that it waits for."""
        meta = {"name": "keystone", "namespace": "cloud", "uid": "u"}
        cr = {"apiVersion": KEYSTONE_API.api_version, "kind": "KeystoneAPI", "metadata": meta, "spec": self.spec}
        self.conditions = Conditions(keystone.KEYSTONE_API_CONTROLLER.conditions)
        try:
            asyncio.run(keystone.reconcile(Round(cast("Kube", self.api), cr, self.conditions, self.status)))
        except NotYet as wait:
            return wait.condition
        return None

    def settle(self) -> Cloud:
        """Play everybody's part until all is done."""
        for _ in range(12):
            if self.round() is None and not self.api.jobs():
                return self
            self.api.others_do_their_part()
            self.api.jobs_succeed()
            if ("Deployment", "keystone") in self.api.objects:
                self.api.all_replicas_serve()
        raise AssertionError(self.conditions.listed())


def test_it_is_built_step_by_step() -> None:
    """Each step waits for what it needs, says so, and Ready comes last."""
    cloud, waits = Cloud(), []
    for step in ("others_do_their_part", "others_do_their_part", "others_do_their_part", "jobs_succeed"):
        waits.append(cloud.round())
        getattr(cloud.api, step)()
    assert waits == ["CreateServiceReady", "RabbitMqTransportURLReady", "DBReady", "DBSyncReady"]
    assert cloud.round() == "BootstrapReady"
    assert ("Deployment", "keystone") in cloud.api.objects
    cloud.api.jobs_succeed()
    assert cloud.round() == "DeploymentReady"
    cloud.api.all_replicas_serve()
    assert cloud.round() is None
    assert cloud.conditions.all_true()
    assert cloud.status["readyCount"] == 2
    assert cloud.status["databaseHostname"] == "openstack.cloud.svc"
    assert cloud.status["apiEndpoints"] == {
        "internal": "http://keystone-internal.cloud.svc:5000",
        "public": "http://192.0.2.80:5000",
    }


def test_jobs_run_once_and_vanish() -> None:
    """Neither a new round nor a new process of the operator runs them again."""
    cloud = Cloud().settle()
    for _ in range(3):
        assert cloud.round() is None
        assert cloud.api.jobs() == set()


def test_another_administrators_password_is_bootstrapped_and_the_tables_left_alone() -> None:
    """A Job depends on what it is made of, and on nothing else."""
    cloud = Cloud().settle()
    cloud.api.put("Secret", "osp-secret", data=encoded(AdminPassword="another"))
    assert cloud.round() == "BootstrapReady"
    assert cloud.api.jobs() == {"keystone-bootstrap"}


def test_a_database_or_cache_that_is_away_stops_nothing_that_does_without() -> None:
    """While the database fails over, a deleted Deployment still comes back; the conditions say what is away."""
    cloud = Cloud().settle()
    for kind, name in (("MariaDBAccount", "keystone"), ("Memcached", "memcached")):
        conditions = [{"type": "Ready", "status": "False"}]
        cloud.api.objects[kind, name]["status"] |= {"conditions": conditions}
    del cloud.api.objects["Deployment", "keystone"]
    assert cloud.round() == "DeploymentReady"
    assert ("Deployment", "keystone") in cloud.api.objects
    assert not cloud.conditions.is_true("MariaDBAccountReady")
    assert not cloud.conditions.is_true("MemcachedReady")
    assert cloud.conditions.is_true("DBReady")


def test_a_changed_setting_replaces_the_pods() -> None:
    """The configuration's fingerprint is part of the pods."""
    cloud = Cloud().settle()
    before = json.dumps(cloud.api.objects["Deployment", "keystone"]["spec"])
    cloud.spec["customServiceConfig"] = "[DEFAULT]\ndebug = true\n"
    cloud.round()
    assert json.dumps(cloud.api.objects["Deployment", "keystone"]["spec"]) != before


def test_what_is_secret_stays_in_secrets() -> None:
    """No password and no key is in a pod's command or environment, a condition, or the status."""
    cloud = Cloud().settle()
    cloud.api.put("Secret", "osp-secret", data=encoded(AdminPassword=ADMIN + "2"))
    cloud.round()  # with the bootstrap Job there
    keys = [base64.b64decode(value).decode() for value in cloud.api.objects["Secret", "keystone"]["data"].values()]
    told = json.dumps([made for (kind, _), made in cloud.api.objects.items() if kind != "Secret"])
    told += json.dumps([cloud.status, cloud.conditions.listed()])
    assert len(keys) == config.FERNET_KEYS + config.CREDENTIAL_KEYS
    assert not [secret for secret in (ADMIN, DATABASE, BUS, *keys) if secret in told]


def test_services_select_the_apis_pods_and_not_those_of_jobs() -> None:
    """A pod that runs keystone-manage answers no request."""
    cloud = Cloud().settle()
    cloud.api.put("Secret", "osp-secret", data=encoded(AdminPassword="another"))
    cloud.round()
    for name in ("keystone-internal", "keystone-public"):
        service = cloud.api.objects["Service", name]
        selector = service["spec"]["selector"].items()
        assert service["metadata"]["labels"]["endpoint"] == name.removeprefix("keystone-")
        for kind, workload, selected in (
            ("Deployment", "keystone", True),
            ("Job", "keystone-bootstrap", False),
        ):
            labels = cloud.api.objects[kind, workload]["spec"]["template"]["metadata"]["labels"].items()
            assert (selector <= labels) is selected


@given(st.text(min_size=1), st.text(min_size=1))
def test_the_database_url_gives_back_any_user_and_password(user: str, password: str) -> None:
    """Whatever characters they are made of."""
    url = urlsplit(Login(user=user, host="db.cloud.svc", database="keystone", password=password).url)
    assert (unquote(url.username or ""), unquote(url.password or "")) == (user, password)
    assert (url.hostname, url.path) == ("db.cloud.svc", "/keystone")


def test_a_migration_is_more_patient_than_a_service() -> None:
    """Given up halfway it leaves a table behind, and no later try succeeds."""
    login = Login(user="u", host="h", database="d", password="p")
    files = config.files(login, [], Transport("rabbit://u:p@h:5672/", True), "")
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.read_string(files["keystone.conf"])
    cloud = Cloud()
    for _ in range(4):
        cloud.round()
        cloud.api.others_do_their_part()
    [container] = cloud.api.objects["Job", "keystone-db-sync"]["spec"]["template"]["spec"]["containers"]
    given = {each["name"]: each.get("value", "") for each in container["env"]}
    patient = dict(parse_qsl(given["OS_DATABASE__CONNECTION_PARAMETERS"]))
    served = dict(parse_qsl(parsed["database"]["connection_parameters"]))
    assert patient.keys() == served.keys()
    assert int(patient["read_timeout"]) > 10 * int(served["read_timeout"])
    assert patient["connect_timeout"] == served["connect_timeout"]


@given(st.booleans())
def test_queues_are_of_the_kind_that_the_broker_says(quorum: bool) -> None:
    """Notifications go to quorum queues only if the transport's Secret says so."""
    login = Login(user="u", host="h", database="d", password="p")
    text = config.files(login, ["a:1", "b:1"], Transport("rabbit://u:p$1@h:5672/", quorum), "")["keystone.conf"]
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.read_string(text)
    assert parsed["oslo_messaging_rabbit"].getboolean("rabbit_quorum_queue", False) is quorum
    assert parsed["DEFAULT"]["transport_url"] == "rabbit://u:p$$1@h:5672/"
    assert parsed["cache"]["memcache_servers"] == "a:1,b:1"
