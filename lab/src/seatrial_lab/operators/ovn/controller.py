"""OVNController: the nodes as gateways, each with an Open vSwitch and an ovn-controller of OpenStack's own.

In RHOSO what Open vSwitch is told comes from a Job on each node; here each pod's start says it. The exporters of
metrics (a third DaemonSet) are left out.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from seatrial_lab.operators.common import attachments, ovn, workloads
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import Controller, NotYet, Round, Watch, everyone
from seatrial_lab.operators.common.resources import (
    CONFIG_MAP,
    DAEMON_SET,
    NETWORK_ATTACHMENT,
    OVN_CONTROLLER,
    OVN_DB_CLUSTER,
    ROLE,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
    Json,
)
from seatrial_lab.operators.common.secrets import config_map
from seatrial_lab.operators.common.templates import render
from seatrial_lab.operators.common.workloads import Runs
from seatrial_lab.operators.ovn import rights

TEMPLATES: Final = Path(__file__).parent / "templates"
PROGRAMS: Final = ("init-ovsdb-server.sh", "start-vswitchd.sh", "start-controller.sh")
HOST_FOLDER: Final = "HOST_FOLDER"
"""The environment variable that says where on the nodes Open vSwitch keeps what must outlive a pod."""
OVS: Final = "ovn-controller-ovs"
SERVER: Final = [
    *("catatonit", "--", "ovsdb-server", "-vconsole:info", "--pidfile=/run/openvswitch/ovsdb-server.pid"),
    *("--remote=punix:/run/openvswitch/db.sock", "/etc/openvswitch/conf.db"),
]
LOOK_AGAIN_S: Final = 5.0


async def reconcile(this: Round) -> None:
    """Bring the gateways to what their resource asks for."""
    spec = this.spec
    tunnel, mappings = str(spec.get("networkAttachment") or ""), dict(sorted((spec.get("nicMappings") or {}).items()))
    remote = ovn.inside(await ovn.database(this, "SB"))
    this.conditions.true("InputReady", "Input data complete")
    this.conditions.true("TLSInputReady", "TLS is off")
    runs = Runs(account=f"ovncontroller-{this.name}", labels={"owner": this.name}, uid=0)
    await rights.give(this, runs)
    networks = [tunnel] if tunnel else []
    await attachments.required(this, networks)
    for name, device in mappings.items():
        if await this.get(NETWORK_ATTACHMENT, name) is None:
            await this.create(whole_device(name, str(device)))
    programs = {name: (TEMPLATES / "scripts" / name).read_text() for name in PROGRAMS}
    await this.apply(config_map(f"{this.name}-scripts", {}, programs))
    this.conditions.true("ServiceConfigReady", "Service config create completed")
    lasting = {
        "TUNNEL_NETWORK": tunnel,
        "PHYSICAL_NETWORKS": " ".join(mappings),
        "OVS_LOG_LEVEL": str(spec.get("ovsLogLevel", "info")),
        "OVN_LOG_LEVEL": str(spec.get("ovnLogLevel", "info")),
    }
    ids = external_ids(spec.get("external-ids") or {}, remote, list(mappings))
    switch, controller = await this.apply_all(
        render(
            TEMPLATES,
            "ovncontroller.yaml.j2",
            name=this.name,
            account=runs.account,
            node_selector=spec.get("nodeSelector") or {},
            host=f"{os.environ.get(HOST_FOLDER, '/var/home/core')}/{this.namespace}",
            networks=workloads.asked_networks([*networks, *mappings]),
            ovs_image=str(spec.get("ovsContainerImage", workloads.IMAGE)),
            ovn_image=str(spec.get("ovnContainerImage", workloads.IMAGE)),
            ovsdb_server=SERVER,
            values=lasting,
            external_ids=ids,
            # A new Open vSwitch interrupts traffic, a new ovn-controller doesn't: each is replaced for its own reasons.
            ovs_hash=hash_of([programs["init-ovsdb-server.sh"], programs["start-vswitchd.sh"]]),
            ovn_hash=hash_of(programs["start-controller.sh"]),
        )
    )
    for live, field in ((controller, "numberReady"), (switch, "ovsNumberReady")):
        this.status[field] = int((live.get("status") or {}).get("numberReady") or 0)
    wanted = int((switch.get("status") or {}).get("desiredNumberScheduled") or 0)
    this.status["desiredNumberScheduled"] = wanted
    _deployed(this, switch, controller)
    await attachments.attached(this, networks, {"service": OVS, "owner": this.name}, wanted=wanted)


def external_ids(asked: Json, remote: str, physical_networks: list[str]) -> str:
    """What Open vSwitch is told for ovn-controller, as arguments of `ovs-vsctl set` quoted for a shell."""
    zones = ":".join(asked.get("availability-zones") or ())
    options = ["enable-chassis-as-gw"] if asked.get("enable-chassis-as-gateway", True) else []
    options += [f"availability-zones={zones}"] if zones else []
    values = {
        "ovn-remote": remote,
        "ovn-bridge": asked.get("ovn-bridge", "br-int"),
        # There is no kernel datapath where the lab runs.
        "ovn-bridge-datapath-type": "netdev",
        "ovn-encap-type": asked.get("ovn-encap-type", "geneve"),
        "ovn-encap-tos": asked.get("ovn-encap-tos", "0"),
        "ovn-remote-probe-interval": asked.get("ovn-remote-probe-interval", 60000),
        "ovn-openflow-probe-interval": 60,
        "ovn-monitor-all": "true",
        "ovn-bridge-mappings": ",".join(f"{name}:br-{name}" for name in physical_networks),
        "ovn-cms-options": ",".join(options),
    }
    return " ".join(f"'external_ids:{key}=\"{value}\"'" for key, value in values.items())


def whole_device(name: str, device: str) -> Json:
    """A network by which one pod a node gets a device, whatever the addresses of the frames it sends and takes."""
    config = {"cniVersion": "0.3.1", "name": name, "type": "macvlan", "master": device, "mode": "passthru"}
    return {
        "apiVersion": NETWORK_ATTACHMENT.api_version,
        "kind": NETWORK_ATTACHMENT.kind,
        "metadata": {"name": name},
        "spec": {"config": json.dumps(config)},
    }


def _deployed(this: Round, *live: Json) -> None:
    """Say that every chosen node has its pods, of now; NotYet while one has not."""
    for each in live:
        status, name = each.get("status") or {}, each["metadata"]["name"]
        current = status.get("observedGeneration") == each["metadata"]["generation"]
        wanted, ready, new = (
            int(status.get(key) or 0) for key in ("desiredNumberScheduled", "numberReady", "updatedNumberScheduled")
        )
        if current and wanted == 0:
            raise NotYet("DeploymentReady", f"{name}: no node is chosen by the nodeSelector", severity="Warning")
        if not current or ready < wanted or new < wanted:
            told = f"{name}: {ready} of {wanted} nodes are ready"
            raise NotYet("DeploymentReady", told, look_again_s=LOOK_AGAIN_S)
    this.conditions.true("DeploymentReady", "Deployment completed")


CONTROLLER: Final = Controller(
    resource=OVN_CONTROLLER,
    reconcile=reconcile,
    conditions=(
        "InputReady",
        "TLSInputReady",
        "ServiceAccountReady",
        "RoleReady",
        "RoleBindingReady",
        "ServiceConfigReady",
        "DeploymentReady",
        "NetworkAttachmentsReady",
    ),
    owns=(CONFIG_MAP, DAEMON_SET, NETWORK_ATTACHMENT, ROLE, ROLE_BINDING, SERVICE_ACCOUNT),
    watches=(Watch(OVN_DB_CLUSTER, everyone),),
)
