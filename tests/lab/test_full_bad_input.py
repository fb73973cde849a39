"""What is said wrong at size `full`: it is refused, or named in a condition, and is over once it is put right."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.conftest import Lab
from tests.lab.objects import CONTROL_PLANE, NODE_SET, denies, find, is_ready, patch, read
from tests.lab.tenants import until

GONE = "that-is-not-there"


@pytest.mark.parametrize(
    ("section", "wrong", "says"),
    [
        ("neutron", {"replcas": 1}, 'unknown field "spec.neutron.template.replcas"'),
        ("neutron", {"replicas": -1}, "spec.neutron.template.replicas"),
        ("ovn", {"ovnDBCluster": {"ovndbcluster-nb": {"dbType": "EAST"}}}, "dbType"),
    ],
    ids=["unknown-field", "negative-replicas", "unknown-database"],
)
def test_an_impossible_control_plane_is_refused(full: Lab, section: str, wrong: dict[str, Any], says: str) -> None:
    """By the API server, with the name of what is wrong."""
    live = read(full, CONTROL_PLANE)
    template = live["spec"][section]["template"]
    asked = {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {"name": "controlplane", "namespace": "openstack"},
        "spec": {**live["spec"], section: {"enabled": True, "template": {**template, **wrong}}},
    }
    assert says in full.refusal("apply", "--dry-run=server", "-f", "-", text=yaml.safe_dump(asked))


def test_a_missing_storage_class_is_named_and_waited_for(full: Lab) -> None:
    """Nothing is made before it is there; everybody else goes on."""
    stray, ready = ("galera", "stray"), "OpenStackControlPlaneMariaDBReady"
    asked = {"replicas": 0, "storageRequest": "100Mi", "storageClass": GONE}
    try:
        patch(full, CONTROL_PLANE, {"galera": {"templates": {"stray": asked}}})
        until("the control plane names it", lambda: denies(full, CONTROL_PLANE, ready, f"StorageClass missing: {GONE}"))
        assert find(full, stray) is None
        patch(full, CONTROL_PLANE, {"galera": {"templates": {"stray": {"storageClass": "lab-local"}}}})
        until("the resource is made", lambda: find(full, stray))
    finally:
        patch(full, CONTROL_PLANE, {"galera": {"templates": {"stray": None}}})
        until("it is taken away again", lambda: find(full, stray) is None)
    until("the control plane is ready again", lambda: is_ready(full, CONTROL_PLANE))


def test_a_missing_network_is_named_and_the_service_goes_on_as_it_is(full: Lab) -> None:
    """Its pods are the same ones afterwards."""
    neutron, deployment = ("neutronapi", "neutron"), ("deployment", "neutron")
    right = read(full, CONTROL_PLANE)["spec"]["neutron"]["template"]["networkAttachments"]
    before = read(full, deployment)["metadata"]["generation"]
    try:
        patch(full, CONTROL_PLANE, {"neutron": {"template": {"networkAttachments": [*right, GONE]}}})
        until("Neutron names it", lambda: denies(full, neutron, "NetworkAttachmentsReady", GONE))
        until("so does all", lambda: denies(full, CONTROL_PLANE, "OpenStackControlPlaneNeutronReady", GONE))
    finally:
        patch(full, CONTROL_PLANE, {"neutron": {"template": {"networkAttachments": right}}})
    until("the control plane is ready again", lambda: is_ready(full, CONTROL_PLANE))
    assert read(full, deployment)["metadata"]["generation"] == before


def test_a_pod_that_cannot_be_attached_does_not_start_and_says_why(full: Lab) -> None:
    """An event of the pod names the definition that is missing."""
    astray = ("pod", "astray")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": astray[1],
            "namespace": "openstack",
            "annotations": {"k8s.v1.cni.cncf.io/networks": json.dumps([{"name": GONE, "namespace": "openstack"}])},
        },
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "it", "image": "lab.local/base:1", "command": ["/usr/bin/sleep", "60"]}],
        },
    }
    full.kubectl("apply", "-f", "-", text=json.dumps(pod))
    try:
        about = ("-n", "openstack", "--field-selector", f"involvedObject.name={astray[1]},type=Warning")
        why = f"there is no NetworkAttachmentDefinition openstack/{GONE}"
        until("its event names it", lambda: why in full.kubectl("get", "events", *about))
        assert read(full, astray)["status"]["phase"] == "Pending"
    finally:
        full.kubectl("delete", *astray, "-n", "openstack", "--force", "--grace-period=0")


def test_a_node_set_that_names_a_missing_secret_says_so(full: Lab) -> None:
    """And is ready again, with nothing deployed anew, when the right one is named."""
    right = read(full, NODE_SET)["spec"]["nodeTemplate"]["ansibleSSHPrivateKeySecret"]
    try:
        patch(full, NODE_SET, {"nodeTemplate": {"ansibleSSHPrivateKeySecret": GONE}})
        until("InputReady names the Secret", lambda: denies(full, NODE_SET, "InputReady", GONE))
        assert not is_ready(full, NODE_SET)
    finally:
        patch(full, NODE_SET, {"nodeTemplate": {"ansibleSSHPrivateKeySecret": right}})
    until("the NodeSet is ready again", lambda: is_ready(full, NODE_SET))


@pytest.mark.long
def test_a_node_that_cannot_be_reached_is_named_and_waited_for(full: Lab) -> None:
    """A deployment says which one it is, and goes on by itself once the node is back."""
    again = ("openstackdataplanedeployment", "again")
    deployment = {
        "apiVersion": "dataplane.openstack.org/v1beta1",
        "kind": "OpenStackDataPlaneDeployment",
        "metadata": {"name": again[1], "namespace": "openstack"},
        "spec": {"nodeSets": [NODE_SET[1]], "servicesOverride": ["validate-network"]},
    }
    full.command("cable", "compute-1", "ctlplane", "pull")
    try:
        full.kubectl("apply", "-f", "-", text=json.dumps(deployment))
        until("it is named", lambda: denies(full, again, "DeploymentReady", "compute-1 is unreachable"), within_s=120)
    finally:
        full.command("cable", "compute-1", "ctlplane", "plug")
    until("it is deployed", lambda: is_ready(full, again), within_s=180)
    full.kubectl("delete", *again, "-n", "openstack")
    until("the NodeSet is ready", lambda: is_ready(full, NODE_SET))
