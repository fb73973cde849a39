"""OVNDBCluster: OVN's northbound or southbound database as a raft, with its Services, and its name for compute nodes.

Names, labels, ports and scripts' ways: rhoso-topology, sections 3.1 and 4.3. RHOSO's liveness probe, `pidof
ovsdb-server`, is left out: the container lives and dies with that process.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seatrial_lab.operators.common import attachments, workloads
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import Controller, Round
from seatrial_lab.operators.common.resources import (
    CONFIG_MAP,
    DNS_DATA,
    OVN_DB_CLUSTER,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    Json,
)
from seatrial_lab.operators.common.secrets import config_map
from seatrial_lab.operators.common.workloads import Runs
from seatrial_lab.operators.ovn import raft, rights
from seatrial_lab.operators.ovn.raft import Raft

SCRIPTS: Final = Path(__file__).parent / "templates" / "scripts"
SCRIPTS_AT: Final = "/var/lib/operator-scripts"
PROGRAMS: Final = ("functions", "setup.sh", "readiness.sh", "cleanup.sh")
# An orderly end waits for a majority, for a while; in RHOSO for up to five minutes.
GRACE_S: Final = 30
EXTERNAL: Final = "External Config Ready"
EXTERNAL_CONFIG: Final = "ovncontroller-config"


@dataclass(frozen=True, slots=True)
class Database:
    """One of OVN's two databases."""

    side: str
    direction: str
    name: str
    port: int
    raft_port: int

    @property
    def service(self) -> str:
        """What its StatefulSet and Services are called."""
        return f"ovsdbserver-{self.side}"


DATABASES: Final = {
    "NB": Database("nb", "north", "OVN_Northbound", 6641, 6643),
    "SB": Database("sb", "south", "OVN_Southbound", 6642, 6644),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one OVNDBCluster asks for."""

    database: Database
    replicas: int
    runs: Runs
    spec: Json

    def addresses(self, namespace: str) -> list[str]:
        """Where clients in the cluster find each server."""
        return [
            f"tcp:{self.database.service}-{n}.{namespace}.svc.cluster.local:{self.database.port}"
            for n in range(self.replicas)
        ]


async def reconcile(this: Round) -> None:
    """Bring a database cluster to what its resource asks for."""
    wanted = _input(this)
    await rights.give(this, wanted.runs)
    await attachments.required(this, wanted.runs.networks)
    config_hash = await _scripts(this, wanted)
    await _services(this, wanted)
    live = await this.apply(
        _stateful_set(this, wanted, config_hash, await this.get(STATEFUL_SET, wanted.database.service))
    )
    workloads.count(this, live)
    if this.status["readyCount"]:
        this.status["hash"] = {**(this.status.get("hash") or {}), "founded": "yes"}
    await attachments.attached(this, wanted.runs.networks, wanted.runs.labels, wanted=wanted.replicas)
    await _tell(this, wanted)
    await raft.tend(this, _raft(this, wanted))
    workloads.deployed(this, live)


def _input(this: Round) -> Wanted:
    spec, database = this.spec, DATABASES[str(this.spec["dbType"])]
    this.conditions.true("InputReady", "Input data complete")
    this.conditions.true("TLSInputReady", "TLS is off")
    network = spec.get("networkAttachment")
    wanted = Wanted(
        database=database,
        replicas=int(spec.get("replicas", 1)),
        runs=Runs(
            account=f"ovncluster-{this.name}",
            labels={"service": database.service, "owner": this.name},
            uid=0,  # its folder on the volume is root's; it has none of root's capabilities
            image=str(spec.get("containerImage", workloads.IMAGE)),
            node_selector=spec.get("nodeSelector") or {},
            networks=[network] if network else [],
            volumes=[{"name": "scripts", "configMap": {"name": f"{this.name}-scripts", "defaultMode": 0o555}}],
            mounts=[
                {"name": "scripts", "mountPath": SCRIPTS_AT, "readOnly": True},
                {"name": _claim(this), "mountPath": "/etc/ovn"},
            ],
        ),
        spec=spec,
    )
    this.status["internalDbAddress"] = ",".join(wanted.addresses(this.namespace))
    if network:
        this.status["dbAddress"] = f"tcp:{database.service}.{this.namespace}.svc:{database.port}"
    else:
        this.status.pop("dbAddress", None)
    return wanted


def _claim(this: Round) -> str:
    return f"{this.name}-etc-ovn"


async def _scripts(this: Round, wanted: Wanted) -> str:
    """What the pods run, and what they must know at a start; returns what replaces them when it changes."""
    programs = {name: (SCRIPTS / name).read_text() for name in PROGRAMS}
    facts = {
        "members": f"{wanted.replicas}\n",
        # Once there has been a cluster, no pod founds another.
        "founded": f"{(this.status.get('hash') or {}).get('founded', 'no')}\n",
    }
    await this.apply(config_map(f"{this.name}-scripts", wanted.runs.labels, {**programs, **facts}))
    this.conditions.true("ServiceConfigReady", "Service config create completed")
    return hash_of(programs)


async def _services(this: Round, wanted: Wanted) -> None:
    """The headless Service by which members find each other, and one Service with an address for each of them."""
    services = services_of(wanted.database, wanted.runs, wanted.replicas)
    await this.apply_all(services)
    names = {service["metadata"]["name"] for service in services}
    for live in await this.list(SERVICE, {"service": wanted.database.service}):
        name = live["metadata"]["name"]
        if name not in names:
            await this.kube.delete(SERVICE, name, namespace=this.namespace, uid=live["metadata"]["uid"])
    this.conditions.true("ExposeServiceReady", "Services exist")


def services_of(database: Database, runs: Runs, replicas: int) -> list[Json]:
    """All Services of a database cluster."""

    def port(name: str, number: int) -> Json:
        return {"name": name, "port": number, "targetPort": number, "protocol": "TCP"}

    raft_port = port(f"{database.direction}-raft", database.raft_port)
    headless: Json = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": database.service, "labels": {**runs.labels, "type": "headless"}},
        "spec": {
            "clusterIP": "None",
            # Members find each other before any of them is ready.
            "publishNotReadyAddresses": True,
            "selector": dict(runs.labels),
            "ports": [raft_port],
        },
    }
    pod_label = "statefulset.kubernetes.io/pod-name"
    each: list[Json] = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": pod, "labels": {**runs.labels, "type": "cluster", pod_label: pod}},
            "spec": {
                "type": "ClusterIP",
                "selector": {**runs.labels, pod_label: pod},
                "ports": [port(database.direction, database.port), raft_port],
            },
        }
        for pod in (f"{database.service}-{n}" for n in range(replicas))
    ]
    return [headless, *each]


def _stateful_set(this: Round, wanted: Wanted, config_hash: str, live: Json | None) -> Json:
    made = workloads.workload(
        "StatefulSet",
        wanted.database.service,
        wanted.runs,
        replicas=wanted.replicas,
        config_hash=config_hash,
        containers=[_container(this, wanted)],
        claims=[_storage(this, wanted, live)],
    )
    made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = GRACE_S
    return made


def _storage(this: Round, wanted: Wanted, live: Json | None) -> Json:
    """The volume of each pod. Those of a StatefulSet that exists can't be changed any more."""
    spec = wanted.spec
    if live is not None:
        old = live["spec"]["volumeClaimTemplates"][0]["spec"]
        size, kind = old["resources"]["requests"]["storage"], old.get("storageClassName")
    else:
        size, kind = spec["storageRequest"], spec.get("storageClass")
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": _claim(this), "labels": dict(wanted.runs.labels)},
        "spec": {**asked, **({"storageClassName": kind} if kind else {})},
    }


def _container(this: Round, wanted: Wanted) -> Json:
    database, spec = wanted.database, wanted.spec
    values = {
        "DB_TYPE": database.side,
        "DB_NAME": database.name,
        "SERVICE": database.service,
        "DOMAIN": f"{this.namespace}.svc.cluster.local",
        "PORT": str(database.port),
        "RAFT_PORT": str(database.raft_port),
        "ELECTION_TIMER": str(spec.get("electionTimer", 10000)),
        "INACTIVITY_PROBE": str(spec.get("inactivityProbe", 60000)),
        "LOG_LEVEL": str(spec.get("logLevel", "info")),
        # In half seconds, until a member without a leader asks whether the others have one.
        "PATIENCE": "40",
        "OVS_RUNDIR": "/etc/ovn",
        "OVN_RUNDIR": "/etc/ovn",
    }
    ready = {"exec": {"command": ["sh", f"{SCRIPTS_AT}/readiness.sh"]}, "timeoutSeconds": 10}
    return {
        "name": database.service,
        "command": ["catatonit", "--", "sh", f"{SCRIPTS_AT}/setup.sh"],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
            *({"name": key, "value": value} for key, value in values.items()),
        ],
        "ports": [
            {"name": database.direction, "containerPort": database.port, "protocol": "TCP"},
            {"name": f"{database.direction}-raft", "containerPort": database.raft_port, "protocol": "TCP"},
        ],
        "startupProbe": {**ready, "periodSeconds": 3, "failureThreshold": 200},
        # Every look starts programs: pods that were asked every second would cost more than all they do.
        "readinessProbe": {**ready, "periodSeconds": 15, "failureThreshold": 2},
        "lifecycle": {"preStop": {"exec": {"command": ["sh", f"{SCRIPTS_AT}/cleanup.sh"]}}},
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def _raft(this: Round, wanted: Wanted) -> Raft:
    database = wanted.database
    domain = f"{database.service}.{this.namespace}.svc.cluster.local:{database.raft_port}"
    return Raft(
        database=database.name,
        control=f"/etc/ovn/ovn{database.side}_db.ctl",
        container=database.service,
        labels=wanted.runs.labels,
        addresses=[f"tcp:{database.service}-{n}.{domain}" for n in range(wanted.replicas)],
        timer_ms=int(wanted.spec.get("electionTimer", 10000)),
    )


async def _tell(this: Round, wanted: Wanted) -> None:
    """Tell those outside the cluster, the compute nodes, where the southbound database is."""
    if wanted.database.side != "sb" or not wanted.runs.networks:
        this.conditions.true(EXTERNAL, "Nobody outside the cluster uses this database")
        return
    addresses = this.status["networkAttachments"][f"{this.namespace}/{wanted.runs.networks[0]}"]
    name = f"{wanted.database.service}.{this.namespace}.svc"
    await this.apply(
        {
            "apiVersion": DNS_DATA.api_version,
            "kind": DNS_DATA.kind,
            "metadata": {"name": wanted.database.service, "labels": dict(wanted.runs.labels)},
            "spec": {
                "dnsDataLabelSelectorValue": "dnsdata",
                "hosts": [{"ip": address, "hostnames": [name]} for address in addresses],
            },
        }
    )
    remote = {"ovsdb-config": f"ovn-remote: {this.status['dbAddress']}\n"}
    await this.apply(config_map(EXTERNAL_CONFIG, wanted.runs.labels, remote))
    this.conditions.true(EXTERNAL, "External config completed")


CONTROLLER: Final = Controller(
    resource=OVN_DB_CLUSTER,
    reconcile=reconcile,
    conditions=(
        "InputReady",
        "TLSInputReady",
        "ServiceAccountReady",
        "RoleReady",
        "RoleBindingReady",
        "NetworkAttachmentsReady",
        "ServiceConfigReady",
        "ExposeServiceReady",
        EXTERNAL,
        "DeploymentReady",
    ),
    owns=(CONFIG_MAP, DNS_DATA, ROLE, ROLE_BINDING, SERVICE, SERVICE_ACCOUNT, STATEFUL_SET),
)
