"""NeutronAPI: the network service on OVN, with its database, bus, Services and registration.

RHOSO's pods run neutron-server behind a second container, `neutron-httpd`. 2026.2 has no such server any more: the API
is served by uwsgi, and what was done beside it by processes of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seatrial_lab.operators.common import attachments, database, exposure, messaging, ovn, workloads
from seatrial_lab.operators.common.exposure import Entry, Port
from seatrial_lab.operators.common.jobs import run_once
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import EVERY, Controller, Key, NotYet, Round, Watch, everyone
from seatrial_lab.operators.common.resources import (
    DEPLOYMENT,
    JOB,
    KEYSTONE_API,
    KEYSTONE_ENDPOINT,
    KEYSTONE_SERVICE,
    MARIADB_ACCOUNT,
    MARIADB_DATABASE,
    MEMCACHED,
    NEUTRON_API,
    OVN_DB_CLUSTER,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    TRANSPORT_URL,
    Json,
)
from seatrial_lab.operators.common.secrets import required, secret
from seatrial_lab.operators.common.templates import render_text
from seatrial_lab.operators.common.workloads import Runs, config_volume, uwsgi_ini

TEMPLATES: Final = Path(__file__).parent / "templates"
SERVICE_NAME: Final = "neutron"
UID: Final = 42435  # kolla's number for neutron
PORT: Final = 9696
HOME: Final = "/etc/neutron"
CONFIG: Final = [f"--config-file={HOME}/neutron.conf", f"--config-file={HOME}/custom.conf"]
DAEMONS: Final = ("neutron-periodic-workers", "neutron-ovn-maintenance-worker")
AGENT_SECRET: Final = "neutron-ovn-metadata-agent-neutron-config"  # noqa: S105 - a name
AGENT_FILE: Final = "10-neutron-metadata.conf"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one NeutronAPI asks for."""

    entry: Entry
    runs: Runs
    replicas: int
    password: str = field(repr=False)


async def reconcile(this: Round) -> None:
    """Bring the network service to what its resource asks for."""
    spec, wanted = this.spec, await _input(this)
    await workloads.account(this, wanted.runs)
    port = Port(SERVICE_NAME, PORT, wanted.runs.labels)
    urls = await exposure.expose(this, port, (spec.get("override") or {}).get("service") or {})
    await attachments.required(this, wanted.runs.networks)
    files = await _files(this, wanted)
    await this.apply(secret(f"{this.name}-config-data", wanted.runs.labels, files))
    this.conditions.true("ServiceConfigReady", "Configuration written")
    command = [*workloads.program("neutron-db-manage"), *CONFIG, "upgrade", "heads"]
    sync = workloads.job(f"{this.name}-db-sync", wanted.runs, command, what="db-sync")
    await run_once(this, "DBSyncReady", sync, what="DBsync", keep=bool(spec.get("preserveJobs")))
    live = await this.apply(_deployment(this, wanted, hash_of(files)))
    workloads.count(this, live)
    await exposure.register(this, wanted.entry, urls)
    workloads.deployed(this, live)
    await attachments.attached(this, wanted.runs.networks, wanted.runs.labels, wanted=wanted.replicas)


async def _input(this: Round) -> Wanted:
    spec = this.spec
    key = str((spec.get("passwordSelectors") or {}).get("service", "NeutronPassword"))
    password = (await required(this, str(spec["secret"]), key))[key]
    this.conditions.true("InputReady", "Input data complete")
    this.status["databaseHostname"] = f"{spec['databaseInstance']}.{this.namespace}.svc"
    volume, mount = config_volume(f"{this.name}-config-data", HOME)
    user = str(spec.get("serviceUser", SERVICE_NAME))
    return Wanted(
        entry=Entry(SERVICE_NAME, "network", "Neutron Service", str(spec["secret"]), key, user),
        runs=Runs(
            account=f"neutron-{this.name}",
            labels={"service": SERVICE_NAME, "owner": this.name},
            uid=UID,
            image=str(spec.get("containerImage", workloads.IMAGE)),
            node_selector=spec.get("nodeSelector") or {},
            networks=spec.get("networkAttachments") or (),
            volumes=[volume, {"name": "state", "emptyDir": {}}],
            mounts=[mount, {"name": "state", "mountPath": "/var/lib/neutron"}],
        ),
        replicas=int(spec.get("replicas", 1)),
        password=password,
    )


async def _files(this: Round, wanted: Wanted) -> dict[str, str]:
    """The files of `/etc/neutron`; NotYet while what they name is not there."""
    spec = this.spec
    northbound, southbound = [await ovn.database(this, side, condition="ServiceConfigReady") for side in ("NB", "SB")]
    agent = f"[ovn]\novn_sb_connection = {ovn.outside(southbound)}\n"
    await this.apply(secret(AGENT_SECRET, wanted.runs.labels, {AGENT_FILE: agent}))
    bus = str((spec.get("messagingBus") or {}).get("cluster", "rabbitmq"))
    transport = await messaging.transport(
        this, f"{this.name}-neutron-transport", cluster=bus, status="transportURLSecret"
    )
    caches = await messaging.caches(this, str(spec.get("memcachedInstance", "memcached")))
    login = await database.login(
        this,
        "neutron",
        instance=str(spec["databaseInstance"]),
        account=spec.get("databaseAccount"),
        in_use=f"{this.name}-db-sync" in (this.status.get("hash") or {}),
    )
    conf = render_text(
        TEMPLATES,
        "neutron.conf.j2",
        login=login,
        transport=transport,
        memcached=caches,
        identity=await exposure.keystone(this, serving=False),
        user=wanted.entry.user,
        password=wanted.password,
        home=workloads.HOME,
        northbound=await _inside(this, northbound),
        southbound=await _inside(this, southbound),
    )
    return {
        "neutron.conf": conf,
        "custom.conf": str(spec.get("customServiceConfig") or ""),
        "uwsgi.ini": uwsgi_ini(PORT, "neutron.wsgi.api:application", "neutron-api"),
    }


async def _inside(this: Round, cluster: Json) -> str:
    """Where a database is to be found from pods: the addresses of its servers' Services, which stay."""
    found = []
    for server in ovn.inside(cluster).split(","):
        protocol, host, port = server.split(":")
        name = host.partition(".")[0]
        address = ((await this.get(SERVICE, name) or {}).get("spec") or {}).get("clusterIP")
        if not address:
            raise NotYet("ServiceConfigReady", f"Service {name} has no address yet", look_again_s=1)
        found.append(f"{protocol}:{address}:{port}")
    return ",".join(found)


def _deployment(this: Round, wanted: Wanted, config_hash: str) -> Json:
    env = {"OS_NEUTRON_CONFIG_DIR": HOME, "OS_NEUTRON_CONFIG_FILES": "neutron.conf;custom.conf"}
    api = workloads.wsgi("neutron-api", PORT, f"{HOME}/uwsgi.ini", "/", env, memory="256Mi")
    others = [workloads.daemon(name, [*workloads.program(name), *CONFIG], {}, memory="192Mi") for name in DAEMONS]
    return workloads.workload(
        "Deployment",
        this.name,
        wanted.runs,
        replicas=wanted.replicas,
        config_hash=config_hash,
        containers=[api, *others],
    )


def _of_a_server(service: Json) -> Iterable[Key]:
    """A Service that one of OVN's databases is reached by wakes everyone; others are none of Neutron's business."""
    labels = service["metadata"].get("labels") or {}
    if labels.get("type") == "cluster" and str(labels.get("service")).startswith("ovsdbserver-"):
        yield service["metadata"]["namespace"], EVERY


CONTROLLER: Final = Controller(
    resource=NEUTRON_API,
    reconcile=reconcile,
    conditions=(
        "InputReady",
        "ServiceAccountReady",
        "CreateServiceReady",
        "RabbitMqTransportURLReady",
        "MemcachedReady",
        "DBReady",
        "MariaDBAccountReady",
        "ServiceConfigReady",
        "DBSyncReady",
        "KeystoneServiceReady",
        "KeystoneEndpointReady",
        "DeploymentReady",
        "NetworkAttachmentsReady",
    ),
    owns=(
        DEPLOYMENT,
        JOB,
        KEYSTONE_ENDPOINT,
        KEYSTONE_SERVICE,
        MARIADB_ACCOUNT,
        MARIADB_DATABASE,
        SECRET,
        SERVICE,
        SERVICE_ACCOUNT,
        TRANSPORT_URL,
    ),
    watches=(
        Watch(KEYSTONE_API, everyone),
        Watch(MEMCACHED, everyone),
        Watch(OVN_DB_CLUSTER, everyone),
        Watch(SECRET, everyone),
        Watch(SERVICE, _of_a_server),
    ),
)
