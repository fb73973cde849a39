"""The operators of Placement and Glance: what they make, in which order, and what they say of bad input."""

from __future__ import annotations

import asyncio
import base64
import configparser
from typing import Any, cast

import pytest

from seatrial_lab.operators.common.conditions import Conditions
from seatrial_lab.operators.common.kube import Kube
from seatrial_lab.operators.common.reconciler import Controller, NotYet, Round
from seatrial_lab.operators.common.resources import GLANCE, GLANCE_API, PLACEMENT_API, Json, Resource, resource_of
from seatrial_lab.operators.glance import config
from seatrial_lab.operators.glance.api import GLANCE_API_CONTROLLER
from seatrial_lab.operators.glance.glance import GLANCE_CONTROLLER, misfit, parts_of
from seatrial_lab.operators.placement.api import CONTROLLER as PLACEMENT_CONTROLLER

PASSWORD = "p$ssword"
BY_OTHERS = {"MariaDBDatabase", "MariaDBAccount", "KeystoneService", "KeystoneEndpoint"}
SHARED: Json = {"secret": "osp-secret", "databaseInstance": "openstack"}
READY: Json = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}
STORAGE: Json = {"storage": {"storageClass": "lab-local", "storageRequest": "1Gi"}}


def encoded(**data: str) -> Json:
    return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}


class Api:
    """Stands in for the API server; what is asked of other operators is done at once, and Jobs and pods succeed."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Json] = {}
        self.put("Secret", "osp-secret", data=encoded(PlacementPassword=PASSWORD, GlancePassword=PASSWORD))
        self.put("Secret", "db-secret", data=encoded(DatabasePassword=PASSWORD))
        self.put("Memcached", "memcached", status={**READY, "serverList": ["memcached-0.memcached.cloud.svc:11211"]})
        urls = {"internal": "http://keystone-internal.cloud.svc:5000", "public": "http://192.0.2.80:5000"}
        self.put("KeystoneAPI", "keystone", status={"apiEndpoints": urls, "region": "regionOne"})

    def put(self, kind: str, name: str, **content: Any) -> None:
        meta = {"name": name, "namespace": "cloud", "generation": 1, "uid": f"{kind}-{name}"}
        self.objects[kind, name] = {"kind": kind, "metadata": meta, **content}

    async def get(self, resource: Resource, name: str, **_: object) -> Json | None:
        return self.objects.get((resource.kind, name))

    async def list(self, resource: Resource, **_: object) -> list[Json]:
        return [live for (kind, _), live in self.objects.items() if kind == resource.kind]

    async def create(self, manifest: Json) -> Json | None:
        key = (resource_of(manifest).kind, manifest["metadata"]["name"])
        return None if key in self.objects else await self.apply(manifest)

    async def apply(self, manifest: Json) -> Json:
        kind, name = resource_of(manifest).kind, manifest["metadata"]["name"]
        before = self.objects.get((kind, name), {})
        self.put(kind, name, spec=manifest.get("spec", {}), data=manifest.get("data", {}))
        live = self.objects[kind, name]
        live["metadata"] |= manifest["metadata"]
        live["status"] = before.get("status", {})
        if kind in BY_OTHERS:
            live["spec"] = {**live["spec"], "userName": "u_1a2b"}
            live["status"] = {**READY, "currentSecret": "db-secret"}
        elif kind == "Job":
            live["status"] = {"succeeded": 1}
        elif kind in ("Deployment", "StatefulSet"):
            counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas"), live["spec"]["replicas"])
            live["status"] = {**counts, "observedGeneration": 1}
        return live

    async def delete(self, resource: Resource, name: str, **_: object) -> None:
        self.objects.pop((resource.kind, name), None)

    def names(self, kind: str) -> set[str]:
        return {name for found, name in self.objects if found == kind}


def rounds(api: Api, controller: Controller, cr: Json, *, most: int = 6) -> Round:
    """Reconcile until nothing is waited for; the last round comes back."""
    status: Json = {}
    for _ in range(most):
        this = Round(cast("Kube", api), cr, Conditions(controller.conditions), status)
        try:
            asyncio.run(controller.reconcile(this))
        except NotYet as wait:
            status = {**this.status, "waits": f"{wait.condition}: {wait}"}
            continue
        return this
    raise AssertionError(status["waits"])


def resource(kind: Resource, name: str, spec: Json, **meta: Any) -> Json:
    meta = {"name": name, "namespace": "cloud", "uid": f"{kind.kind}-{name}", **meta}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "spec": spec}


def served(api: Api, name: str = "glance-default-single") -> Round:
    """A GlanceAPI as its Glance asked for it, reconciled."""
    asked = api.objects["GlanceAPI", name]
    meta = {key: asked["metadata"][key] for key in ("labels", "annotations")}
    this = rounds(api, GLANCE_API_CONTROLLER, resource(GLANCE_API, name, asked["spec"], **meta))
    asked["status"] = {**READY, **this.status}
    return this


def a_glance(**spec: Any) -> Json:
    single = {"default": {"type": "single", "networkAttachments": []}}
    return {**SHARED, **STORAGE, "glanceAPIs": single, **spec}


def test_placement_has_the_documented_shape() -> None:
    """Deployment, Services, Job, database, registration, and a configuration without a message bus."""
    api = Api()
    this = rounds(api, PLACEMENT_CONTROLLER, resource(PLACEMENT_API, "placement", {**SHARED, "replicas": 2}))
    assert this.conditions.all_true()
    assert this.status["readyCount"] == 2
    assert this.status["databaseHostname"] == "openstack.cloud.svc"
    pods = api.objects["Deployment", "placement"]["spec"]["template"]
    assert pods["metadata"]["labels"]["service"] == "placement"
    assert [container["name"] for container in pods["spec"]["containers"]] == ["placement-api"]
    assert api.names("Service") == {"placement-internal", "placement-public"}
    assert api.objects["KeystoneService", "placement"]["spec"]["serviceType"] == "placement"
    assert api.objects["KeystoneEndpoint", "placement"]["spec"]["endpoints"] == {
        "internal": "http://placement-internal.cloud.svc:8778",
        "public": "http://placement-public.cloud.svc:8778",
    }
    assert set(this.status["hash"]) == {"placement-db-sync"}
    conf = configparser.ConfigParser(interpolation=None)
    conf.read_string(
        base64.b64decode(api.objects["Secret", "placement-config-data"]["data"]["placement.conf"]).decode()
    )
    assert "@openstack.cloud.svc/placement?" in conf["placement_database"]["connection"]
    assert conf["keystone_authtoken"]["password"] == PASSWORD.replace("$", "$$")
    assert "transport_url" not in conf["DEFAULT"]


def test_glance_has_the_documented_shape() -> None:
    """A GlanceAPI `glance-default-single`, its StatefulSet with a volume for each pod, and its endpoints."""
    api = Api()
    glance = resource(GLANCE, "glance", a_glance())
    with pytest.raises(AssertionError, match="GlanceAPIReady"):
        rounds(api, GLANCE_CONTROLLER, glance)
    this = served(api)
    assert this.conditions.all_true()
    pods = api.objects["StatefulSet", "glance-default-single"]["spec"]
    assert pods["template"]["metadata"]["labels"] == {
        "service": "glance",
        "component": "glance-api",
        "glanceAPI": "glance-default-single",
        "owner": "glance-default-single",
    }
    assert pods["volumeClaimTemplates"][0]["metadata"]["name"] == "glance"
    assert pods["template"]["spec"]["serviceAccountName"] == "glance-glance"
    assert api.names("Service") == {"glance-default-internal", "glance-default-public", "glance-default-single"}
    public = api.objects["Service", "glance-default-public"]
    assert public["metadata"]["labels"] == {"service": "glance", "endpoint": "public"}
    assert api.objects["KeystoneEndpoint", "glance-default-single"]["spec"]["serviceName"] == "glance"
    whole = rounds(api, GLANCE_CONTROLLER, glance)
    assert whole.conditions.all_true()
    assert whole.status["glanceAPIReadyCounts"] == {"glance-default-single": 1}
    assert whole.status["apiEndpoint"]["public"] == "http://glance-default-public.cloud.svc:9292"


def test_a_split_api_keeps_users_off_from_services() -> None:
    """Two resources, of which each serves one endpoint."""
    spec = a_glance(glanceAPIs={"default": {"customServiceConfig": "enabled_backends = far:s3"}})
    assert misfit(spec) is None
    api = Api()
    with pytest.raises(AssertionError, match="GlanceAPIReady"):
        rounds(api, GLANCE_CONTROLLER, resource(GLANCE, "glance", spec))
    for half, endpoint in (("internal", "internal"), ("external", "public")):
        served(api, f"glance-default-{half}")
        assert f"glance-default-{half}-api" in api.names("StatefulSet")
        urls = api.objects["KeystoneEndpoint", f"glance-default-{half}"]["spec"]["endpoints"]
        assert set(urls) == {endpoint}


def test_an_api_that_is_not_registered_has_no_endpoint() -> None:
    """Neither in Keystone, nor a condition about it."""
    spec = a_glance(keystoneEndpoint="default", glanceAPIs={"default": {"type": "single"}, "edge": {"type": "single"}})
    assert [(part.name, part.registered) for part in parts_of("glance", spec)] == [
        ("glance-default-single", True),
        ("glance-edge-single", False),
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"keystoneEndpoint": "defualt"}, "defualt is none of glanceAPIs: default"),
        ({"glanceAPIs": {}}, "there are none"),
        ({"glanceAPIs": {"default": {}}}, "default: a store of files is for one pod"),
        ({"glanceAPIs": {"default": {"type": "single", "replicas": 2}}}, "default: a store of files is for one pod"),
        ({"secret": "osp-secert"}, "Secret osp-secert with key GlancePassword is missing"),
    ],
)
def test_what_cannot_work_is_told(change: Json, told: str) -> None:
    """In the condition of the input, by name."""
    with pytest.raises(AssertionError, match=rf"InputReady.*{told}"):
        rounds(Api(), GLANCE_CONTROLLER, resource(GLANCE, "glance", a_glance(**change)))


def test_a_missing_network_keeps_pods_from_being_made() -> None:
    """And its name is told."""
    api = Api()
    spec = {**SHARED, "networkAttachments": ["storage"]}
    with pytest.raises(AssertionError, match=r"NetworkAttachmentsReady.*storage"):
        rounds(api, PLACEMENT_CONTROLLER, resource(PLACEMENT_API, "placement", spec))
    assert not api.names("Deployment")


@pytest.mark.parametrize(
    ("custom", "files"),
    [
        ("", True),
        ("[DEFAULT]\nenabled_backends = a:s3,b:file", True),
        ("[DEFAULT]\nenabled_backends=a:s3\n", False),
        ("enabled_backends = a:file\nenabled_backends = a:rbd", False),
    ],
)
def test_where_images_end_up(custom: str, files: bool) -> None:
    """The last word counts, as it does for Glance."""
    assert config.keeps_files(custom) is files
