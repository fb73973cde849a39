"""The openstack operator: which children there are, and what is said of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from seatrial_lab.operators.common.conditions import Conditions
from seatrial_lab.operators.common.kube import Kube
from seatrial_lab.operators.common.reconciler import Round
from seatrial_lab.operators.common.resources import SERVICE, STORAGE_CLASS, Json
from seatrial_lab.operators.openstack import control_plane, operators
from seatrial_lab.operators.openstack.parts import PARTS, children_of, is_enabled

HERE = Path(operators.__file__).parent


[KEYSTONE] = [part for part in PARTS if part.section == "keystone"]


def sample() -> Json:
    documents = list(yaml.safe_load_all((HERE / "samples/core.yaml").read_text()))
    return cast("Json", next(d for d in documents if d["kind"] == "OpenStackControlPlane")["spec"])


def asked(spec: Json) -> dict[str, dict[str, Json]]:
    """What each part of a control plane asks for, by name."""
    return {part.section: {child.name: child.spec for child in children_of(part, spec)} for part in PARTS}


def test_the_sample_of_size_core_asks_for_four_parts() -> None:
    """One cluster each of database, broker and cache, and Keystone."""
    assert {section: sorted(children) for section, children in asked(sample()).items() if children} == {
        "galera": ["openstack"],
        "rabbitmq": ["rabbitmq"],
        "memcached": ["memcached"],
        "keystone": ["keystone"],
    }


def test_children_get_from_the_control_plane_what_they_leave_open() -> None:
    """Secret, storage class and node selector are said once; what a template says itself wins."""
    spec = {
        "secret": "s",
        "storageClass": "fast",
        "nodeSelector": {"zone": "a"},
        "galera": {"templates": {"one": {"replicas": 3}, "two": {"secret": "own", "nodeSelector": {"zone": "b"}}}},
        "rabbitmq": {"templates": {"rabbitmq": {"persistence": {"storage": "1Gi"}}}},
        "ovn": {"template": {"ovnDBCluster": {"ovndbcluster-nb": {"dbType": "NB"}}}},
    }
    parts = asked(spec)
    assert parts["galera"] == {
        "one": {"replicas": 3, "secret": "s", "storageClass": "fast", "nodeSelector": {"zone": "a"}},
        "two": {"secret": "own", "storageClass": "fast", "nodeSelector": {"zone": "b"}},
    }
    assert parts["rabbitmq"]["rabbitmq"]["persistence"] == {"storageClassName": "fast", "storage": "1Gi"}
    assert sorted(parts["ovn"]) == ["ovncontroller", "ovndbcluster-nb", "ovnnorthd"]
    assert parts["ovn"]["ovndbcluster-nb"]["storageClass"] == "fast"
    assert parts["memcached"] == parts["keystone"] == {}


@pytest.mark.parametrize(
    ("spec", "enabled"),
    [({}, False), ({"secret": "s", "keystone": {}}, True), ({"keystone": {"enabled": False, "template": {}}}, False)],
)
def test_a_part_can_be_left_out_or_disabled(spec: Json, enabled: bool) -> None:
    """A disabled part has no children, whatever its template says."""
    assert is_enabled(KEYSTONE, spec) is enabled
    assert bool(children_of(KEYSTONE, spec)) is enabled


class Cluster:
    """Stands in for the API server: children that answer as they are told to."""

    def __init__(self, ready: dict[str, str], services: list[Json]) -> None:
        self.ready, self.services, self.deleted = ready, services, list[str]()

    async def list(self, resource: Any, **_: object) -> list[Json]:
        return self.services if resource == SERVICE else []

    async def get(self, resource: Any, name: str, **_: object) -> Json | None:
        return {"metadata": {"name": name}} if (resource, name) == (STORAGE_CLASS, "lab-local") else None

    async def apply(self, manifest: Json) -> Json:
        status = self.ready.get(manifest["kind"], "True")
        condition = {"type": "Ready", "status": status, "message": f"{manifest['kind']} says so"}
        if status == "False":
            condition["severity"] = "Error"
        meta = {**manifest["metadata"], "uid": manifest["kind"], "resourceVersion": "1", "generation": 1}
        return {**manifest, "metadata": meta, "status": {"conditions": [condition], "observedGeneration": 1}}


def conditions_after_a_round(spec: Json, *, ready: dict[str, str], address: bool = True) -> dict[str, Json]:
    service = {
        "metadata": {"labels": {"service": "keystone", "endpoint": "public"}},
        "spec": {"type": "LoadBalancer"},
        "status": {"loadBalancer": {"ingress": [{"ip": "x"}] if address else []}},
    }
    cr = {
        "apiVersion": "core.openstack.org/v1beta1",
        "kind": "OpenStackControlPlane",
        "metadata": {"name": "cp", "namespace": "cloud", "uid": "u", "generation": 1},
        "spec": spec,
    }
    this = Round(cast("Kube", Cluster(ready, [service])), cr, Conditions(control_plane.CONTROLLER.conditions), {})
    asyncio.run(control_plane.reconcile(this))
    return {condition["type"]: condition for condition in this.conditions.listed()}


def test_all_children_ready_is_a_ready_control_plane() -> None:
    """Every condition is there and True."""
    said = conditions_after_a_round(sample(), ready={})
    assert {condition["status"] for condition in said.values()} == {"True"}
    assert "OpenStackControlPlaneMariaDBReady" in said
    assert "OpenStackControlPlaneExposeKeystoneAPIReady" in said


def test_an_unready_child_is_told_in_its_own_condition_and_in_ready() -> None:
    """Nothing is glossed over, and nobody else is blamed."""
    said = conditions_after_a_round(sample(), ready={"RabbitMq": "False"})
    assert said["OpenStackControlPlaneRabbitMQReady"]["severity"] == "Error"
    assert "RabbitMq says so" in said["Ready"]["message"]
    assert said["OpenStackControlPlaneInfrastructureReady"]["status"] == "False"
    assert said["OpenStackControlPlaneMariaDBReady"]["status"] == "True"


def test_a_missing_storage_class_is_named_by_those_who_would_use_it() -> None:
    """They are not made before it is there; whoever has no volumes does not wait for it."""
    said = conditions_after_a_round({**sample(), "storageClass": "fast"}, ready={})
    message = "OpenStackControlPlane MariaDB: StorageClass missing: fast"
    assert said["OpenStackControlPlaneMariaDBReady"]["message"] == message
    assert said["OpenStackControlPlaneRabbitMQReady"]["status"] == "False"
    assert said["OpenStackControlPlaneMemcachedReady"]["status"] == "True"
    assert said["Ready"]["status"] == "False"


def test_a_public_service_without_an_address_is_not_exposed() -> None:
    """A load balancer that gave no address serves nobody."""
    said = conditions_after_a_round(sample(), ready={}, address=False)
    assert said["OpenStackControlPlaneExposeKeystoneAPIReady"]["status"] == "False"
    assert said["Ready"]["status"] == "False"


def test_a_disabled_part_has_no_condition() -> None:
    """As in RHOSO."""
    spec = sample()
    spec["keystone"]["enabled"] = False
    said = conditions_after_a_round(spec, ready={"KeystoneAPI": "False"})
    assert not [kind for kind in said if "Keystone" in kind]
    assert said["Ready"]["status"] == "True"


def test_no_operator_may_do_everything() -> None:
    """Least rights: no wildcard, no hold on roles beyond what init and the databases need."""
    for operator in operators.OPERATORS:
        for rule in operators.rules_of(operator):
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]], (operator, rule)
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"]), (operator, rule)


def test_a_deployment_counts_only_if_it_is_ours_and_whole() -> None:
    """A Deployment that nobody owns, or that is still being replaced, is not deployed."""
    owner = {"metadata": {"uid": "u"}}
    reference = {"controller": True, "uid": "u", "kind": "OpenStack", "name": "openstack"}
    whole: Json = {
        "metadata": {"generation": 2, "ownerReferences": [reference]},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 1},
    }
    assert operators._is_deployed(whole, owner)
    assert not operators._is_deployed({**whole, "metadata": {"generation": 2}}, owner)
    assert not operators._is_deployed({**whole, "status": {**whole["status"], "observedGeneration": 1}}, owner)
    assert not operators._is_deployed({**whole, "status": {**whole["status"], "availableReplicas": 0}}, owner)
