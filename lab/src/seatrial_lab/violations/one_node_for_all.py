"""All instances of Keystone are sent to one node."""

from __future__ import annotations

from typing import Any

from seatrial_lab.platform.apply import Kubectl
from seatrial_lab.violations.deviation import Violation, patch_control_plane, pods, rolled_out, until


def _select(kubectl: Kubectl, selector: dict[str, Any] | None) -> None:
    patch_control_plane(kubectl, {"keystone": {"template": {"nodeSelector": selector}}})

    def settled() -> bool:
        found = kubectl.get("deployment", "keystone", "-n", "openstack")["spec"]["template"]["spec"].get("nodeSelector")
        nodes = {pod["spec"].get("nodeName") for pod in pods(kubectl, "service=keystone,owner=keystone")}
        return (found or None) == selector and rolled_out(kubectl, "deployment", "keystone") and bool(nodes)

    until("Keystone's roll-out", settled)


VIOLATION = Violation(
    "one-node-for-all",
    "SCALE-1",
    "all instances of Keystone run on one node",
    lambda kubectl: _select(kubectl, {"kubernetes.io/hostname": "node-0"}),
    lambda kubectl: _select(kubectl, None),
)
