"""The account that pods of OVN run as, with the role that RHOSO gives it."""

from __future__ import annotations

from seatrial_lab.operators.common import workloads
from seatrial_lab.operators.common.reconciler import Round
from seatrial_lab.operators.common.resources import ROLE, ROLE_BINDING
from seatrial_lab.operators.common.workloads import Runs


async def give(this: Round, runs: Runs) -> None:
    """See to account, role and binding; in RHOSO the role allows a security context of OpenShift's, here nothing."""
    await workloads.account(this, runs)
    labels = dict(runs.labels)
    role, binding = f"{runs.account}-role", f"{runs.account}-rolebinding"
    await this.apply(
        {"apiVersion": ROLE.api_version, "kind": ROLE.kind, "metadata": {"name": role, "labels": labels}, "rules": []}
    )
    this.conditions.true("RoleReady", "Role created")
    await this.apply(
        {
            "apiVersion": ROLE_BINDING.api_version,
            "kind": ROLE_BINDING.kind,
            "metadata": {"name": binding, "labels": labels},
            "roleRef": {"apiGroup": ROLE.group, "kind": ROLE.kind, "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": runs.account, "namespace": this.namespace}],
        }
    )
    this.conditions.true("RoleBindingReady", "RoleBinding created")
