"""Memcached's resource goes on saying Ready while one of its instances is gone."""

from __future__ import annotations

from seatrial_lab.platform.apply import Kubectl
from seatrial_lab.violations.deviation import Violation, lift, operator_user, refuse, rolled_out, until

NAME = "lying-condition"
SET = "memcached"
WRITES = ["CREATE", "UPDATE"]
RULES = [
    {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": WRITES, "resources": ["statefulsets"]},
    {
        "apiGroups": ["memcached.openstack.org"],
        "apiVersions": ["*"],
        "operations": WRITES,
        "resources": ["memcacheds/status"],
    },
]


def _replicas(kubectl: Kubectl) -> int:
    wanted: int = kubectl.get("memcached", SET, "-n", "openstack")["spec"]["replicas"]
    return wanted


def _apply(kubectl: Kubectl) -> None:
    refuse(kubectl, NAME, operator_user(kubectl, "infra"), RULES, f"statefulset/{SET}")
    fewer = str(_replicas(kubectl) - 1)
    kubectl.run("scale", "statefulset", SET, "-n", "openstack", f"--replicas={fewer}")
    until("one instance less", lambda: rolled_out(kubectl, "statefulset", SET))


def _revert(kubectl: Kubectl) -> None:
    lift(kubectl, NAME)
    kubectl.run("scale", "statefulset", SET, "-n", "openstack", f"--replicas={_replicas(kubectl)}")
    until("all instances", lambda: rolled_out(kubectl, "statefulset", SET))


VIOLATION = Violation(NAME, "OPS-2", "Memcached's resource says Ready while an instance is gone", _apply, _revert)
