"""OVNNorthd: the translation of the northbound database into the southbound one.

One of its pods works, the others wait. Which one is decided by a lock in the databases (rhoso-topology, section 4.3).
"""

from __future__ import annotations

from typing import Final

from seatrial_lab.operators.common import attachments, ovn, workloads
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import Controller, Round, Watch, everyone
from seatrial_lab.operators.common.resources import (
    OVN_DB_CLUSTER,
    OVN_NORTHD,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    Json,
)
from seatrial_lab.operators.common.workloads import Runs

NAME: Final = "ovn-northd"
UID: Final = 42476  # kolla's number for openvswitch
CONTROL: Final = "/run/ovn/ovn-northd.ctl"
CONNECTED: Final = (
    f"for side in nb sb; do ovn-appctl -T 5 -t {CONTROL} $side-connection-status | grep -qx connected || exit 1; done"
)


async def reconcile(this: Round) -> None:
    """Bring northd to what its resource asks for."""
    spec = this.spec
    network = spec.get("networkAttachment")
    runs = Runs(
        account=f"ovnnorthd-{this.name}",
        labels={"service": NAME, "owner": this.name},
        uid=UID,
        image=str(spec.get("containerImage", workloads.IMAGE)),
        node_selector=spec.get("nodeSelector") or {},
        networks=[network] if network else [],
        volumes=[{"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}],
        mounts=[{"name": "run", "mountPath": "/run/ovn"}],
    )
    sides = {side: ovn.inside(await ovn.database(this, side)) for side in ("NB", "SB")}
    this.conditions.true("InputReady", "Input data complete")
    this.conditions.true("TLSInputReady", "TLS is off")
    await workloads.account(this, runs)
    await attachments.required(this, runs.networks)
    await this.apply(_headless(runs))
    this.conditions.true("ServiceConfigReady", "Service config create completed")
    live = await this.apply(
        workloads.workload(
            "StatefulSet",
            NAME,
            runs,
            replicas=int(spec.get("replicas", 1)),
            config_hash=hash_of(sides),
            containers=[_container(sides, str(spec.get("logLevel", "info")))],
        )
    )
    workloads.count(this, live)
    workloads.deployed(this, live)
    await attachments.attached(this, runs.networks, runs.labels, wanted=int(spec.get("replicas", 1)))


def _headless(runs: Runs) -> Json:
    """The Service that a StatefulSet names; northd is not spoken to."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "labels": dict(runs.labels)},
        "spec": {"clusterIP": "None", "selector": dict(runs.labels)},
    }


def _container(sides: dict[str, str], level: str) -> Json:
    connected = {"exec": {"command": ["sh", "-c", CONNECTED]}, "timeoutSeconds": 15}
    databases = [f"--ovnnb-db={sides['NB']}", f"--ovnsb-db={sides['SB']}"]
    return {
        "name": NAME,
        "command": ["catatonit", "--", "ovn-northd", f"-vconsole:{level}", f"--unixctl={CONTROL}", *databases],
        "env": [{"name": "OVS_RUNDIR", "value": "/run/ovn"}, {"name": "OVN_RUNDIR", "value": "/run/ovn"}],
        "startupProbe": {**connected, "periodSeconds": 4, "failureThreshold": 150},
        "readinessProbe": {**connected, "periodSeconds": 30, "failureThreshold": 2},
        # One that stands still holds on to its lock, and so keeps the others from working.
        "livenessProbe": {**connected, "periodSeconds": 15, "failureThreshold": 2},
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
        },
    }


CONTROLLER: Final = Controller(
    resource=OVN_NORTHD,
    reconcile=reconcile,
    conditions=(
        "InputReady",
        "TLSInputReady",
        "ServiceAccountReady",
        "ServiceConfigReady",
        "DeploymentReady",
        "NetworkAttachmentsReady",
    ),
    owns=(SERVICE, SERVICE_ACCOUNT, STATEFUL_SET),
    watches=(Watch(OVN_DB_CLUSTER, everyone),),
)
