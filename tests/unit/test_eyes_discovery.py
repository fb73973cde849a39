"""Discovery by label and owner: what objects as operators make them become in an inventory."""

from __future__ import annotations

from typing import Any

from seatrial.discovery import custom, naming, serving, workloads
from seatrial.discovery.ownership import Tree
from seatrial.model.inventory import Role


def owned(kind: str, name: str, group: str = "apps/v1") -> list[dict[str, Any]]:
    return [{"apiVersion": group, "kind": kind, "name": name, "uid": f"u-{kind}-{name}", "controller": True}]


def thing(kind: str, name: str, **other: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "openstack", "uid": f"u-{kind}-{name}", **other.pop("metadata", {})}
    return {"kind": kind, "apiVersion": other.pop("api", "v1"), "metadata": metadata, **other}


CONTROL_PLANE = thing("OpenStackControlPlane", "controlplane", api="core.openstack.org/v1beta1")
API = thing(
    "KeystoneAPI",
    "keystone",
    api="keystone.openstack.org/v1beta1",
    metadata={"ownerReferences": owned("OpenStackControlPlane", "controlplane", "core.openstack.org/v1beta1")},
    spec={"replicas": 2, "customServiceConfig": "password = hunter2", "region": "regionOne"},
    status={"conditions": [{"type": "Ready", "status": "True"}], "readyCount": 2, "observedGeneration": 1},
)
DEPLOYMENT = thing(
    "Deployment",
    "keystone",
    metadata={"ownerReferences": owned("KeystoneAPI", "keystone", "keystone.openstack.org/v1beta1")},
    spec={"replicas": 2, "template": {"metadata": {"labels": {"service": "keystone"}}}},
)
REPLICA_SET = thing("ReplicaSet", "keystone-6d", metadata={"ownerReferences": owned("Deployment", "keystone")})


def pod(name: str, owner: list[dict[str, Any]], labels: dict[str, str], **metadata: Any) -> dict[str, Any]:
    status = {"phase": "Running", "podIP": "10.128.0.9", "conditions": [{"type": "Ready", "status": "True"}]}
    described = {"ownerReferences": owner, "labels": labels, **metadata}
    return thing("Pod", name, metadata=described, spec={"nodeName": "node-1"}, status=status)


FIRST = pod("keystone-6d-a", owned("ReplicaSet", "keystone-6d"), {"service": "keystone"})
ROGUE = pod("doorman", [], {"service": "keystone"})
OWN = pod("seatrial-agent-1", [], {"app.kubernetes.io/part-of": "seatrial"})
SERVICE = thing(
    "Service",
    "keystone-internal",
    metadata={
        "labels": {"service": "keystone", "endpoint": "internal"},
        "ownerReferences": owned("KeystoneAPI", "keystone", "keystone.openstack.org/v1beta1"),
    },
    spec={"clusterIP": "172.30.0.5", "ports": [{"port": 5000, "targetPort": "api"}], "selector": {"service": "x"}},
)
SLICE = thing(
    "EndpointSlice",
    "keystone-internal-x",
    metadata={"labels": {"kubernetes.io/service-name": "keystone-internal"}},
    endpoints=[
        {"targetRef": {"kind": "Pod", "name": "keystone-6d-a"}, "conditions": {"ready": True}},
        {"targetRef": {"kind": "Pod", "name": "doorman"}},
        {"targetRef": {"kind": "Pod", "name": "late"}, "conditions": {"ready": False}},
    ],
)
TREE = Tree([CONTROL_PLANE, API, DEPLOYMENT, REPLICA_SET, FIRST, ROGUE, OWN])


def test_pods_are_gathered_under_their_workload_and_the_chain_is_followed_to_the_top() -> None:
    """ReplicaSets are passed over; a pod that nobody made is a component of its own, named by its label."""
    services = serving.services([SERVICE], [SLICE], TREE)
    found = {"Deployment": [DEPLOYMENT], "Pod": [FIRST, ROGUE, OWN]}
    made = {c.name: c for c in workloads.components(found, TREE, serving.behind_api(services))}
    keystone, rogue, own = made["keystone"], made["doorman"], made["seatrial-agent-1"]
    assert [o.kind for o in keystone.owners] == ["KeystoneAPI", "OpenStackControlPlane"]
    assert [r.name for r in keystone.replicas] == ["keystone-6d-a"]
    assert (keystone.service, keystone.role, keystone.desired) == ("keystone", Role.API, 2)
    assert (rogue.service, rogue.kind, rogue.role, rogue.owners) == ("keystone", "Pod", Role.API, ())
    assert (own.service, own.role) == ("harness", Role.OTHER)


def test_a_service_has_its_ready_backends_and_not_the_others() -> None:
    """No word on readiness means ready, as the platform says."""
    [service] = serving.services([SERVICE], [SLICE], TREE)
    assert service.backends == ("doorman", "keystone-6d-a")
    assert service.service == "keystone"
    assert service.ports[0].target == "api"


def test_a_resource_keeps_selected_fields_and_no_free_text() -> None:
    """Free text of a spec may hold passwords, so it never reaches the inventory."""
    resource = custom.resource(API, TREE)
    assert resource.replicas == 2
    assert "hunter2" not in repr(resource)
    ready = resource.condition("Ready")
    assert ready
    assert ready.status == "True"


def test_a_pod_that_is_being_deleted_is_not_ready() -> None:
    """The platform still reports it as ready for a while."""
    leaving = workloads.replica(pod("x", [], {}, deletionTimestamp="2026-08-01T12:00:00Z"))
    assert leaving.phase == "Terminating"
    assert not leaving.ready


def test_a_ring_of_owners_ends() -> None:
    """Owner references are written by anybody; discovery must end on any of them."""
    first = thing("A", "a", metadata={"ownerReferences": owned("B", "b")})
    second = thing("B", "b", metadata={"ownerReferences": owned("A", "a")})
    assert len(Tree([first, second]).chain(first)) == 2


def test_services_are_known_by_owner_first_and_by_label_second() -> None:
    """As operators label them (rhoso-topology, section 3.1)."""
    assert naming.service_of({"service": "nova-conductor"}, [("NovaConductor", "nova.openstack.org")]) == "nova"
    assert naming.service_of({"service": "openstack-galera", "app": "galera"}, []) == "galera"
    assert naming.service_of({"app.kubernetes.io/component": "rabbitmq"}, []) == "rabbitmq"
    assert naming.service_of({"service": "ovsdbserver-nb"}, []) == "ovn"
    assert naming.service_of({}, [("MariaDBDatabase", "mariadb.openstack.org")]) == ""
    assert naming.service_of({"service": "glance"}, [("Galera", "mariadb.openstack.org")]) == "galera"
