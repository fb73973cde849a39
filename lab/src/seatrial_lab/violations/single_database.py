"""One database instance where there were three, behind the same Service."""

from __future__ import annotations

from seatrial_lab.platform.apply import Kubectl
from seatrial_lab.violations.deviation import Violation, patch_control_plane, pods, rolled_out, until

SET = "openstack-galera"


def _scale(kubectl: Kubectl, replicas: int) -> None:
    patch_control_plane(kubectl, {"galera": {"templates": {"openstack": {"replicas": replicas}}}})

    def settled() -> bool:
        wanted = kubectl.get("statefulset", SET, "-n", "openstack")["spec"]["replicas"]
        return wanted == replicas == len(pods(kubectl, "app=galera")) and rolled_out(kubectl, "statefulset", SET)

    until(f"{replicas} database members", settled)


VIOLATION = Violation(
    "single-database",
    "DB-5",
    "a single database instance stands behind the Service",
    lambda kubectl: _scale(kubectl, 1),
    lambda kubectl: _scale(kubectl, 3),
)
