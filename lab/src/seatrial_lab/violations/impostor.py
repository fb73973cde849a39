"""A pod that stands behind Keystone's Services beside the real instances: what two deviations have in common."""

from __future__ import annotations

from typing import Any

from seatrial_lab.platform.apply import Kubectl
from seatrial_lab.violations.deviation import MARK, add_pod, python_pod, remove

BEHIND = "keystone-behind"
"""Service that leads to the real instances alone, so that the relay never calls itself."""


def stand_in(kubectl: Kubectl, name: str, program: list[str], env: list[dict[str, Any]]) -> None:
    """Put a relay behind keystone-internal and keystone-public."""
    real = kubectl.get("deployment", "keystone", "-n", "openstack")["spec"]["template"]["metadata"]["labels"]
    front = kubectl.get("service", "keystone-internal", "-n", "openstack")["spec"]["selector"]
    own = {key: value for key, value in real.items() if key not in front}
    port = {"name": "http", "port": 5000, "targetPort": 5000}
    metadata = {"name": BEHIND, "namespace": "openstack", "labels": MARK}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"selector": {**front, **own}, "ports": [port]},
    }
    kubectl.apply([service])
    probe = {"httpGet": {"path": "/v3", "port": 5000}, "periodSeconds": 2, "failureThreshold": 300}
    module = "seatrial_lab.violations.programs.relay"
    upstream = f"{BEHIND}.openstack.svc:5000"
    pod = python_pod(name, front, [module, program[0], upstream, *program[1:]], env=env, readinessProbe=probe)
    add_pod(kubectl, pod)


def step_back(kubectl: Kubectl, name: str) -> None:
    """Take the relay away again."""
    remove(kubectl, f"pod/{name}", f"service/{BEHIND}")
