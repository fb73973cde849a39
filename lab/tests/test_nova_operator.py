"""The nova operator: what each component gets to know, what follows what, and what a cell's trouble touches."""

from __future__ import annotations

import asyncio
import base64
import configparser
import json
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from seatrial_lab.operators.common.conditions import Conditions
from seatrial_lab.operators.common.kube import Kube, KubeError
from seatrial_lab.operators.common.reconciler import Controller, NotYet, Round, _say
from seatrial_lab.operators.common.resources import NOVA, Json, Resource, resource_of
from seatrial_lab.operators.nova.cell import NOVA_CELL_CONTROLLER
from seatrial_lab.operators.nova.nova import NOVA_CONTROLLER
from seatrial_lab.operators.nova.services import SERVICE_CONTROLLERS

CONTROLLERS = {each.resource.kind: each for each in (NOVA_CONTROLLER, NOVA_CELL_CONTROLLER, *SERVICE_CONTROLLERS)}
CRDS = Path(__file__).parents[1] / "src/seatrial_lab/crds"
LB = {"spec": {"type": "LoadBalancer"}}
SPEC: Json = {
    "secret": "osp-secret",
    "apiDatabaseInstance": "openstack",
    "apiMessageBusInstance": "rabbitmq",
    "cellTemplates": {
        "cell0": {"cellDatabaseInstance": "openstack", "hasAPIAccess": True},
        "cell1": {
            "cellDatabaseInstance": "openstack-cell1",
            "cellMessageBusInstance": "rabbitmq-cell1",
            "hasAPIAccess": True,
            "conductorServiceTemplate": {"replicas": 2},
            "noVNCProxyServiceTemplate": {"override": {"service": LB}},
        },
    },
    "apiServiceTemplate": {"replicas": 2, "override": {"service": {"public": LB}}},
}


def encoded(**data: str) -> Json:
    return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}


class World:
    """Stands in for the API server and, one step at a time, for all who do a part of their own."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Json] = {}
        self.ran: list[str] = []
        self.down: set[str] = set()
        """Instances of databases and buses that are not there."""
        self.put("Secret", "osp-secret", data=encoded(NovaPassword="nova-pw", MetadataSecret="shared"))
        self.put("Memcached", "memcached", status=ready(1, serverList=["cache:11211"]))
        urls = {"internal": "http://keystone-internal.cloud.svc:5000", "public": "http://192.0.2.80:5000"}
        self.put("KeystoneAPI", "keystone", status={"apiEndpoints": urls, "region": "regionOne"})
        self.put("Nova", "nova", apiVersion=NOVA.api_version, spec=json.loads(json.dumps(SPEC)))
        self.objects["Nova", "nova"]["kind"] = "Nova"

    def put(self, kind: str, name: str, **content: Any) -> None:
        meta = {"name": name, "namespace": "cloud", "generation": 1, "uid": f"{kind}/{name}"}
        self.objects[kind, name] = {"metadata": meta, **content}

    async def get(self, resource: Resource, name: str, **_: object) -> Json | None:
        return self.objects.get((resource.kind, name))

    async def list(self, resource: Resource, **_: object) -> list[Json]:
        return [each for (kind, _), each in sorted(self.objects.items()) if kind == resource.kind]

    async def create(self, manifest: Json) -> Json | None:
        key = (resource_of(manifest).kind, manifest["metadata"]["name"])
        return None if key in self.objects else await self.apply(manifest)

    async def apply(self, manifest: Json) -> Json:
        kind, name = resource_of(manifest).kind, manifest["metadata"]["name"]
        before = self.objects.get((kind, name), {})
        if kind == "MariaDBAccount":  # its user is decided by another
            manifest = {**manifest, "spec": {**before.get("spec", {}), **manifest["spec"]}}
        changed = before.get("spec") != manifest.get("spec")
        generation = int(before.get("metadata", {}).get("generation", 0)) + changed
        meta = {**manifest["metadata"], "generation": generation, "uid": f"{kind}/{name}"}
        self.objects[kind, name] = {**manifest, "metadata": meta, "status": before.get("status", {})}
        return self.objects[kind, name]

    async def delete(self, resource: Resource, name: str, **_: object) -> None:
        self.objects.pop((resource.kind, name), None)

    def round(self, kind: str, name: str) -> None:
        """One round of one of the operator's resources."""
        controller, cr = CONTROLLERS[kind], self.objects[kind, name]
        before = cr.get("status") or {}
        conditions = Conditions(controller.conditions, before.get("conditions") or ())
        status = {key: value for key, value in before.items() if key not in ("conditions", "observedGeneration")}
        try:
            asyncio.run(_reconcile(controller, Round(cast("Kube", self), cr, conditions, status)))
        except NotYet as wait:
            _say(conditions, wait)
        status |= {"conditions": conditions.listed(), "observedGeneration": cr["metadata"]["generation"]}
        self.objects[kind, name]["status"] = status

    def others(self) -> None:
        """What databases, buses, Keystone, load balancers, Jobs and workloads come to."""
        for (kind, name), each in list(self.objects.items()):
            labels, generation = each["metadata"].get("labels") or {}, each["metadata"]["generation"]
            if kind in ("MariaDBDatabase", "MariaDBAccount", "TransportURL"):
                instance = each["spec"].get("rabbitmqClusterName") or labels.get("dbName")
                each["status"] = missing(f"there is no {instance}") if instance in self.down else ready(generation)
            if kind == "MariaDBAccount" and instance not in self.down:
                each["spec"]["userName"] = f"{name}_1a2b"
                each["status"]["currentSecret"] = f"{name}-db-secret"
                self.put("Secret", f"{name}-db-secret", data=encoded(DatabasePassword=f"pw-of-{name}"))
            if kind == "TransportURL" and instance not in self.down:
                each["status"]["secretName"] = f"url-{name}"
                url = f"rabbit://u:bus-pw@{instance}:5672/"
                self.put("Secret", f"url-{name}", data=encoded(transport_url=url, quorumqueues="true"))
            if kind in ("KeystoneService", "KeystoneEndpoint"):
                each["status"] = ready(generation)
            if kind == "Service" and each["spec"]["type"] == "LoadBalancer":
                each["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.80"}]}}
            if kind == "Job" and not each.get("status"):
                each["status"] = {"succeeded": 1}
                self.ran.append(name)
            if kind == "StatefulSet":
                counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas"), each["spec"]["replicas"])
                each["status"] = {**counts, "observedGeneration": generation}

    def settle(self) -> World:
        """Everybody does their part until nothing changes any more."""
        for _ in range(30):
            before = json.dumps(sorted(self.objects.items()))
            for kind, name in [key for key in self.objects if key[0] in CONTROLLERS]:
                if (kind, name) in self.objects:
                    self.round(kind, name)
            self.others()
            if json.dumps(sorted(self.objects.items())) == before:
                return self
        raise AssertionError("it never comes to rest")

    def says(self, condition: str, kind: str = "Nova", name: str = "nova") -> Json:
        """One condition of a resource."""
        return next(each for each in self.objects[kind, name]["status"]["conditions"] if each["type"] == condition)

    def conf(self, secret: str) -> configparser.ConfigParser:
        """The configuration in a Secret."""
        parsed = configparser.ConfigParser(interpolation=None)
        parsed.read_string(base64.b64decode(self.objects["Secret", secret]["data"]["01-nova.conf"]).decode())
        return parsed

    def pods(self, name: str) -> str:
        """What decides whether pods are replaced."""
        return json.dumps(self.objects["StatefulSet", name]["spec"]["template"])


def ready(generation: int, **more: Any) -> Json:
    return {"observedGeneration": generation, "conditions": [{"type": "Ready", "status": "True"}], **more}


def missing(why: str) -> Json:
    return {"conditions": [{"type": "Ready", "status": "False", "message": why}]}


async def _reconcile(controller: Controller, this: Round) -> None:
    await controller.reconcile(this)


def unknown_fields(schema: Json, value: object, at: str) -> list[str]:
    """Fields that a structural schema does not have."""
    if not isinstance(value, dict) or "properties" not in schema | (schema.get("additionalProperties") or {}):
        return []
    known, rest = schema.get("properties") or {}, schema.get("additionalProperties")
    found = [f"{at}.{key}" for key in value if key not in known and rest is None]
    return found + [
        each
        for key, below in value.items()
        for each in unknown_fields(known.get(key) or rest or {}, below, f"{at}.{key}")
    ]


def test_it_comes_to_rest_with_the_documented_objects() -> None:
    """Resources, workloads, Services and Secrets of rhoso-topology and its samples, owned in a chain."""
    world = World().settle()
    assert world.says("Ready")["status"] == "True", world.objects["Nova", "nova"]["status"]["conditions"]
    workloads = {name for kind, name in world.objects if kind == "StatefulSet"}
    assert workloads == {
        *("nova-api", "nova-metadata", "nova-scheduler", "nova-cell0-conductor"),
        *("nova-cell1-conductor", "nova-cell1-novncproxy"),
    }
    services = {name for kind, name in world.objects if kind == "Service"}
    assert services == {"nova-internal", "nova-public", "nova-metadata-internal", "nova-novncproxy-cell1-public"}
    assert world.objects["Service", "nova-internal"]["metadata"]["labels"]["service"] == "nova-api"
    secrets = {name for kind, name in world.objects if kind == "Secret"}
    assert secrets >= {f"{name}-config-data" for name in workloads}
    assert secrets >= {"nova-cell1-compute-config", "nova-metadata-neutron-config", "nova-cell1-conductor-scripts"}
    owners = {name: world.objects["StatefulSet", name]["metadata"]["ownerReferences"][0]["kind"] for name in workloads}
    assert owners["nova-cell1-conductor"] == "NovaConductor"
    assert (
        world.objects["NovaConductor", "nova-cell1-conductor"]["metadata"]["ownerReferences"][0]["kind"] == "NovaCell"
    )
    assert world.objects["KeystoneEndpoint", "nova"]["spec"]["endpoints"] == {
        "internal": "http://nova-internal.cloud.svc:8774/v2.1",
        "public": "http://192.0.2.80:8774/v2.1",
    }
    status = world.objects["Nova", "nova"]["status"]
    assert (status["apiServiceReadyCount"], set(status["registeredCells"])) == (2, {"nova-cell0", "nova-cell1"})


def test_what_is_made_fits_the_schemas() -> None:
    """Specifications and status of all the operator's kinds have no field that their CRDs do not have."""
    world = World().settle()
    for (kind, name), each in world.objects.items():
        if kind in CONTROLLERS:
            crd = yaml.safe_load((CRDS / f"nova.openstack.org_{CONTROLLERS[kind].resource.plural}.yaml").read_text())
            schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
            assert [bad for part in ("spec", "status") for bad in unknown_fields(schema[part], each[part], name)] == []
            assert set(schema["spec"]["required"]) <= set(each["spec"]), name


def test_each_component_gets_what_it_needs_and_no_more() -> None:
    """Databases and buses as in rhoso-topology 4.5; compute nodes get the way to no database at all."""
    world = World().settle()
    seen = {}
    for name in ("nova-api", "nova-scheduler", "nova-metadata", "nova-cell0-conductor", "nova-cell1-conductor"):
        seen[name] = world.conf(f"{name}-config-data")
        assert "/nova_api?" in seen[name]["api_database"]["connection"]
    for name, parsed in seen.items():
        cell, bus = ("cell1", "rabbitmq-cell1") if "cell1" in name else ("cell0", "rabbitmq")
        assert f"/nova_{cell}?" in parsed["database"]["connection"]
        assert f"@{bus}:5672" in parsed["DEFAULT"]["transport_url"]
    proxy = world.conf("nova-cell1-novncproxy-config-data")
    assert not {"api_database", "neutron", "placement", "keystone_authtoken"} & set(proxy.sections())
    compute = world.conf("nova-cell1-compute-config")
    assert "@rabbitmq-cell1:5672" in compute["DEFAULT"]["transport_url"]
    assert compute["vnc"]["novncproxy_base_url"] == "http://192.0.2.80:6080/vnc_lite.html"
    assert {"neutron", "placement", "glance"} <= set(compute.sections())
    text = base64.b64decode(world.objects["Secret", "nova-cell1-compute-config"]["data"]["01-nova.conf"]).decode()
    assert not [word for word in ("database", "mysql", "pw-of-", "cache:11211", "shared") if word in text]
    for name, parsed in seen.items():
        assert parsed.has_option("neutron", "metadata_proxy_shared_secret") is (name == "nova-metadata")


def test_a_cell_without_access_to_the_api_does_not_know_its_database() -> None:
    """Only cell0 is one with the API."""
    world = World()
    world.objects["Nova", "nova"]["spec"]["cellTemplates"]["cell1"]["hasAPIAccess"] = False
    world.settle()
    assert "api_database" not in world.conf("nova-cell1-conductor-config-data").sections()
    assert "api_database" in world.conf("nova-cell0-conductor-config-data").sections()


def test_jobs_run_once_in_their_order_and_the_api_starts_when_all_cells_are_known() -> None:
    """Tables, then their registration; a second look runs nothing again."""
    world = World().settle()
    assert sorted(world.ran) == [
        "nova-cell0-cell-mapping",
        "nova-cell0-conductor-db-sync",
        "nova-cell1-cell-mapping",
        "nova-cell1-conductor-db-sync",
    ]
    for cell in ("cell0", "cell1"):
        assert world.ran.index(f"nova-{cell}-conductor-db-sync") < world.ran.index(f"nova-{cell}-cell-mapping")
    before = list(world.ran)
    assert world.settle().ran == before


def test_another_password_of_a_bus_is_mapped_again_and_reaches_all_that_use_it() -> None:
    """And nobody else: cell0's conductor has no part in the bus of cell1."""
    world = World().settle()
    pods = {name: world.pods(name) for name in ("nova-api", "nova-cell1-conductor", "nova-cell0-conductor")}
    world.ran.clear()
    url = "rabbit://u:another@rabbitmq-cell1:5672/"
    others, world.others = world.others, lambda: None  # type: ignore[method-assign]
    world.put("Secret", "url-nova-cell1-transport", data=encoded(transport_url=url, quorumqueues="true"))
    world.round("Nova", "nova")
    world.others = others  # type: ignore[method-assign]
    secret = world.objects["Secret", "nova-cell1"]["data"]["transport_url"]
    assert base64.b64decode(secret).decode() == url
    assert ("Job", "nova-cell1-cell-mapping") in world.objects
    world.round("NovaConductor", "nova-cell1-conductor")
    assert world.pods("nova-cell1-conductor") != pods["nova-cell1-conductor"]
    assert world.pods("nova-cell0-conductor") == pods["nova-cell0-conductor"]


def test_scaling_one_component_touches_no_other() -> None:
    """Not even the pods of that one."""
    world = World().settle()
    before = {name: json.dumps(each["spec"]) for (kind, name), each in world.objects.items() if kind == "StatefulSet"}
    world.objects["Nova", "nova"]["spec"]["cellTemplates"]["cell1"]["conductorServiceTemplate"] = {"replicas": 3}
    world.settle()
    after = {name: json.dumps(each["spec"]) for (kind, name), each in world.objects.items() if kind == "StatefulSet"}
    assert [name for name in before if before[name] != after[name]] == ["nova-cell1-conductor"]
    assert world.objects["StatefulSet", "nova-cell1-conductor"]["spec"]["replicas"] == 3


def test_a_missing_secret_is_named_and_its_arrival_heals() -> None:
    """Bad input is told, and nothing is made of it."""
    world = World()
    found = world.objects.pop(("Secret", "osp-secret"))
    world.settle()
    told = world.says("InputReady")
    assert (told["severity"], "osp-secret" in told["message"]) == ("Warning", True)
    world.objects["Secret", "osp-secret"] = found
    assert world.settle().says("Ready")["status"] == "True"


def test_a_cells_missing_database_is_named_and_holds_up_no_running_api() -> None:
    """cell2 comes to a cloud that serves: its trouble is told, cell0 and cell1 are left alone."""
    world = World().settle()
    before = world.pods("nova-api")
    world.down = {"openstack-cell2", "rabbitmq-cell2"}
    cell2 = {
        "cellDatabaseInstance": "openstack-cell2",
        "cellMessageBusInstance": "rabbitmq-cell2",
        "hasAPIAccess": True,
    }
    world.objects["Nova", "nova"]["spec"]["cellTemplates"]["cell2"] = cell2
    world.settle()
    assert "openstack-cell2" in world.says("NovaAllCellDBReady")["message"]
    assert "rabbitmq-cell2" in world.says("NovaAllCellsMQReady")["message"]
    assert "cell2" in world.says("NovaAllCellReady")["message"]
    assert world.says("NovaAPIReady")["status"] == "True"
    assert world.pods("nova-api") == before
    world.down = set()
    assert world.settle().says("Ready")["status"] == "True"
    assert world.pods("nova-api") != before  # it reads at its start which cells there are


def test_a_cell_that_is_asked_for_no_more_is_forgotten_and_may_come_back() -> None:
    """Its row is removed before its resources are; a second time everything is done again."""
    world = World().settle()
    cell1 = world.objects["Nova", "nova"]["spec"]["cellTemplates"].pop("cell1")
    world.settle()
    assert world.ran[-1] == "nova-cell1-cell-delete"
    assert ("NovaCell", "nova-cell1") not in world.objects
    assert set(world.objects["Nova", "nova"]["status"]["registeredCells"]) == {"nova-cell0"}
    world.objects["Nova", "nova"]["spec"]["cellTemplates"]["cell1"] = cell1
    world.settle()
    assert world.ran[-1] == "nova-cell1-cell-mapping"
    assert world.says("Ready")["status"] == "True"


def test_compute_nodes_are_looked_for_after_each_deployment_that_had_to_do_with_nova() -> None:
    """A deployment that is under way, or of other services, starts nothing."""
    world = World().settle()
    world.put("OpenStackDataPlaneDeployment", "one", spec={"nodeSets": ["edpm"]}, status={"deployed": False})
    world.put("OpenStackDataPlaneDeployment", "ovn", spec={"servicesOverride": ["ovn"]}, status={"deployed": True})
    assert "nova-cell1-host-discover" not in world.settle().ran
    world.objects["OpenStackDataPlaneDeployment", "one"]["status"]["deployed"] = True
    assert world.settle().ran[-1] == "nova-cell1-host-discover"
    assert set(world.objects["Nova", "nova"]["status"]["discoveredCells"]) == {"nova-cell1"}


def test_what_is_secret_stays_in_secrets() -> None:
    """No password is in a specification, a pod, a condition or the status."""
    world = World().settle()
    told = json.dumps([each for (kind, _), each in world.objects.items() if kind != "Secret"])
    assert not [word for word in ("nova-pw", "pw-of-", "bus-pw", "shared") if word in told]


def test_an_error_of_the_api_server_is_no_ones_not_yet() -> None:
    """What all_of puts aside is only what is not there yet."""
    world = World()

    async def refuse(*_: object, **__: object) -> Json | None:
        raise KubeError("no", 500)

    world.get = refuse  # type: ignore[method-assign]
    with pytest.raises(KubeError):
        world.round("Nova", "nova")


def test_conductors_start_when_they_may_log_in_and_stay_when_keystone_is_away() -> None:
    """The tables do not wait for that; a conductor that is turned away would end."""
    world = World()
    others, away = world.others, {"status": missing("KeystoneAPI keystone does not serve yet")}

    def without_keystone() -> None:
        others()
        for key in [key for key in world.objects if key[0] == "KeystoneService"]:
            world.objects[key] |= away

    world.others = without_keystone  # type: ignore[method-assign]
    world.settle()
    assert "nova-cell1-cell-mapping" in world.ran
    assert not [kind for kind, name in world.objects if kind == "StatefulSet" and name.endswith("conductor")]
    world.others = others  # type: ignore[method-assign]
    assert world.settle().says("Ready")["status"] == "True"
    world.others = without_keystone  # type: ignore[method-assign]
    world.objects["Nova", "nova"]["spec"]["cellTemplates"]["cell1"]["conductorServiceTemplate"] = {"replicas": 3}
    world.settle()
    assert world.objects["StatefulSet", "nova-cell1-conductor"]["spec"]["replicas"] == 3
