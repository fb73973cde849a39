"""A pod that says it belongs to Glance reads Keystone's tables with Keystone's account."""

from __future__ import annotations

from seatrial_lab.platform.apply import Kubectl
from seatrial_lab.violations.deviation import Violation, add_pod, python_pod, remove

NAME = "glance-table-reader"


def _apply(kubectl: Kubectl) -> None:
    account = kubectl.get("mariadbaccount", "keystone", "-n", "openstack")["spec"]
    secret = {
        "name": "DATABASE_PASSWORD",
        "valueFrom": {"secretKeyRef": {"name": account["secret"], "key": "DatabasePassword"}},
    }
    program = [
        "seatrial_lab.violations.programs.table_reader",
        "openstack.openstack.svc",
        account["userName"],
        "keystone",
    ]
    probe = {"exec": {"command": ["test", "-e", "/tmp/reading"]}, "periodSeconds": 2}  # noqa: S108 (in the pod)
    add_pod(kubectl, python_pod(NAME, {"service": "glance"}, program, env=[secret], readinessProbe=probe))


def _revert(kubectl: Kubectl) -> None:
    remove(kubectl, f"pod/{NAME}")


VIOLATION = Violation(
    "foreign-table-reader", "API-1", "a pod of another service reads Keystone's tables", _apply, _revert
)
