"""The lab's objects have the shape of a RHOSO's: what the harness finds here, it would find there."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Lab

SHAPES = yaml.safe_load((Path(__file__).parent / "shapes/core.yaml").read_text())


def differences(wanted: Any, real: Any, at: str = "") -> list[str]:
    """Return where what is real lacks what is wanted; more than wanted is no difference."""
    if isinstance(wanted, dict):
        if not isinstance(real, dict):
            return [f"{at}: {real!r} where an object was expected"]
        return [d for key in wanted for d in differences(wanted[key], real.get(key), f"{at}.{key}")]
    if isinstance(wanted, list):
        if not isinstance(real, list):
            return [f"{at}: {real!r} where a list was expected"]
        return [f"{at}: no entry like {w!r}" for w in wanted if all(differences(w, r) for r in real)]
    return [] if wanted == real else [f"{at}: {real!r} instead of {wanted!r}"]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s['object']['kind'].split('.')[0]}-{s['object']['name']}")
def test_an_object_is_as_documented(lab: Lab, shape: dict[str, Any]) -> None:
    """Name, namespace, labels, controller, ports and conditions of one object."""
    place = shape["object"]
    real = lab.get(place["kind"], place["name"], "-n", place["namespace"])
    assert differences(shape.get("is", {}), real) == []
    if "owner" in shape:
        references = [r for r in real["metadata"].get("ownerReferences", []) if r.get("controller")]
        owners = {name for r in references for name in (r["kind"], f"{r['kind']}/{r['name']}")}
        assert shape["owner"] in owners


def test_the_client_service_of_the_database_selects_one_pod(lab: Lab) -> None:
    """Clients are sent to one member at a time."""
    selector = lab.get("service", "openstack", "-n", "openstack")["spec"]["selector"]
    assert selector["statefulset.kubernetes.io/pod-name"].startswith("openstack-galera-")


@pytest.mark.parametrize("account", ["mariadb", "infra", "keystone", "openstack"])
def test_no_operator_may_do_everything(lab: Lab, account: str) -> None:
    """Each operator has an account of its own, and none of them is an administrator."""
    deployment = lab.get("deployment", f"{account}-operator-controller-manager", "-n", "openstack-operators")
    name = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    user = f"system:serviceaccount:openstack-operators:{name}"
    assert name != "default"
    for verb, what in (("delete", "nodes"), ("create", "clusterrolebindings"), ("get", "secrets")):
        assert not lab.may(user, verb, what, "kube-system")


def test_nobody_gets_in_without_credentials(lab: Lab) -> None:
    """The API server and the kubelets know no anonymous user."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for host, port, path in (("192.168.122.2", 6443, "/version"), ("192.168.122.10", 10250, "/pods")):
        connection = http.client.HTTPSConnection(host, port, context=context, timeout=10)
        connection.request("GET", path)
        assert connection.getresponse().status == 401
        connection.close()
