"""The lab's objects have the shape of a RHOSO's: what the harness finds here, it would find there."""

from __future__ import annotations

import http.client
import ssl
from typing import Any

import pytest

from tests.conftest import Lab
from tests.lab.contract import deviations, excesses, shapes, title


@pytest.mark.parametrize("shape", shapes("core"), ids=title)
def test_an_object_is_as_documented(lab: Lab, shape: dict[str, Any]) -> None:
    """Name, namespace, labels, controller, ports and conditions of one object."""
    assert deviations(lab, shape) == []


def test_the_client_service_of_the_database_selects_one_pod(lab: Lab) -> None:
    """Clients are sent to one member at a time."""
    selector = lab.get("service", "openstack", "-n", "openstack")["spec"]["selector"]
    assert selector["statefulset.kubernetes.io/pod-name"].startswith("openstack-galera-")


def test_each_member_of_the_database_says_whom_it_counts(lab: Lab) -> None:
    """Who comes back waits until the others count it no more: if nobody told, it would not wait."""
    ask = (
        "from urllib.request import urlopen as o; print(o('http://localhost:8081/members', timeout=5).read().decode())"
    )
    names = {f"openstack-galera-{index}" for index in range(3)}
    for name in names:
        assert set(lab.kubectl("exec", "-n", "openstack", name, "--", "python3", "-c", ask).split()) == names


@pytest.mark.parametrize("operator", ["mariadb", "infra", "keystone", "openstack"])
def test_no_operator_may_do_everything(lab: Lab, operator: str) -> None:
    """Each operator has an account of its own, and none of them is an administrator."""
    assert excesses(lab, operator) == []


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
