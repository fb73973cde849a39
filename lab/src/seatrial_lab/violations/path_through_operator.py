"""One of the instances behind Keystone's Services asks the operator before it answers: no operator, no answer."""

from __future__ import annotations

from seatrial_lab.platform.apply import Kubectl
from seatrial_lab.violations.deviation import MARK, Violation, remove
from seatrial_lab.violations.impostor import stand_in, step_back

NAME = "keystone-gated"
GATE = "keystone-operator-gate"
HEALTH_PORT = 8081


def _apply(kubectl: Kubectl) -> None:
    operator = kubectl.get("deployment", "keystone-operator-controller-manager", "-n", "openstack-operators")
    port = {"name": "health", "port": HEALTH_PORT, "targetPort": HEALTH_PORT}
    spec = {"selector": operator["spec"]["selector"]["matchLabels"], "ports": [port]}
    metadata = {"name": GATE, "namespace": "openstack-operators", "labels": MARK}
    kubectl.apply([{"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}])
    stand_in(kubectl, NAME, ["gated", f"{GATE}.openstack-operators.svc:{HEALTH_PORT}"], [])


def _revert(kubectl: Kubectl) -> None:
    step_back(kubectl, NAME)
    remove(kubectl, f"service/{GATE}", namespace="openstack-operators")


VIOLATION = Violation(
    "path-through-operator", "OPS-3", "requests to Keystone pass through its operator", _apply, _revert
)
