"""Keystone's operator may no longer write Services and Deployments: what drifts, stays."""

from __future__ import annotations

from seatrial_lab.platform.apply import Kubectl
from seatrial_lab.violations.deviation import Violation, lift, operator_user, refuse

NAME = "drift-uncorrected"
WRITES = ["CREATE", "UPDATE"]
RULES = [
    {"apiGroups": [""], "apiVersions": ["v1"], "operations": WRITES, "resources": ["services", "configmaps"]},
    {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": WRITES, "resources": ["deployments"]},
]


def _apply(kubectl: Kubectl) -> None:
    refuse(kubectl, NAME, operator_user(kubectl, "keystone"), RULES, "deployment/keystone")


VIOLATION = Violation(
    NAME, "OPS-2", "drift in Keystone's objects is not corrected", _apply, lambda kubectl: lift(kubectl, NAME)
)
