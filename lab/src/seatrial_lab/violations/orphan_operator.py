"""An operator's Deployment that the meta-operator knows nothing of."""

from __future__ import annotations

from seatrial_lab.platform.apply import Kubectl
from seatrial_lab.topology import IMAGE
from seatrial_lab.violations.deviation import MARK, Violation, remove, rolled_out, until

NAME = "barbican-operator-controller-manager"
NAMESPACE = "openstack-operators"


def _apply(kubectl: Kubectl) -> None:
    labels = {"control-plane": "controller-manager", "openstack.org/operator-name": "barbican"}
    container = {
        "name": "manager",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/bin/catatonit", "--", "/usr/bin/sleep", "infinity"],
    }
    metadata = {
        "name": NAME,
        "namespace": NAMESPACE,
        "labels": {**labels, "app.kubernetes.io/name": "barbican", **MARK},
    }
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
        },
    }
    kubectl.apply([{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}])
    until("the orphan", lambda: rolled_out(kubectl, "deployment", NAME, NAMESPACE))


def _revert(kubectl: Kubectl) -> None:
    remove(kubectl, f"deployment/{NAME}", namespace=NAMESPACE)


VIOLATION = Violation(
    "orphan-operator", "OPS-1", "an operator runs that the meta-operator does not own", _apply, _revert
)
