"""PlacementAPI: the placement service, with its database, Services and registration. It uses no message bus.

RHOSO's pods have a second container that repeats a log file; here the API logs to its own standard error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seatrial_lab.operators.common import attachments, database, exposure, messaging, workloads
from seatrial_lab.operators.common.exposure import Entry, Port
from seatrial_lab.operators.common.jobs import run_once
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import Controller, Round, Watch, everyone
from seatrial_lab.operators.common.resources import (
    DEPLOYMENT,
    JOB,
    KEYSTONE_API,
    KEYSTONE_ENDPOINT,
    KEYSTONE_SERVICE,
    MARIADB_ACCOUNT,
    MARIADB_DATABASE,
    MEMCACHED,
    PLACEMENT_API,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
)
from seatrial_lab.operators.common.secrets import required, secret
from seatrial_lab.operators.common.templates import render_text
from seatrial_lab.operators.common.workloads import Runs, config_volume, uwsgi_ini

TEMPLATES: Final = Path(__file__).parent / "templates"
SERVICE_NAME: Final = "placement"
UID: Final = 42482  # kolla's number for placement
PORT: Final = 8778
HOME: Final = "/etc/placement"
FILES: Final = {
    "placement.conf": "placement.conf",
    "custom.conf": "placement.conf.d/custom.conf",  # read after the former
    "uwsgi.ini": "uwsgi.ini",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one PlacementAPI asks for."""

    entry: Entry
    runs: Runs
    replicas: int
    password: str = field(repr=False)


async def reconcile(this: Round) -> None:
    """Bring the placement service to what its resource asks for."""
    spec, wanted = this.spec, await _input(this)
    await workloads.account(this, wanted.runs)
    port = Port(SERVICE_NAME, PORT, wanted.runs.labels)
    urls = await exposure.expose(this, port, (spec.get("override") or {}).get("service") or {})
    await attachments.required(this, wanted.runs.networks)
    files = await _files(this, wanted)
    await this.apply(secret(f"{this.name}-config-data", wanted.runs.labels, files))
    this.conditions.true("ServiceConfigReady", "Configuration written")
    command = [*workloads.program("placement-manage"), "--config-file", f"{HOME}/placement.conf", "db", "sync"]
    sync = workloads.job(f"{this.name}-db-sync", wanted.runs, command, what="db-sync")
    await run_once(this, "DBSyncReady", sync, what="DBsync", keep=bool(spec.get("preserveJobs")))
    env = {"OS_PLACEMENT_CONFIG_DIR": HOME}
    live = await this.apply(
        workloads.workload(
            "Deployment",
            this.name,
            wanted.runs,
            replicas=wanted.replicas,
            config_hash=hash_of(files),
            containers=[workloads.wsgi("placement-api", PORT, f"{HOME}/uwsgi.ini", "/", env, memory="256Mi")],
        )
    )
    workloads.count(this, live)
    await exposure.register(this, wanted.entry, urls)
    workloads.deployed(this, live)
    await attachments.attached(this, wanted.runs.networks, wanted.runs.labels, wanted=wanted.replicas)


async def _input(this: Round) -> Wanted:
    spec = this.spec
    key = str((spec.get("passwordSelectors") or {}).get("service", "PlacementPassword"))
    password = (await required(this, str(spec["secret"]), key))[key]
    this.conditions.true("InputReady", "Input data complete")
    this.status["databaseHostname"] = f"{spec['databaseInstance']}.{this.namespace}.svc"
    volume, mount = config_volume(f"{this.name}-config-data", HOME, FILES)
    user = str(spec.get("serviceUser", SERVICE_NAME))
    return Wanted(
        entry=Entry(SERVICE_NAME, "placement", "Placement Service", str(spec["secret"]), key, user),
        runs=Runs(
            account=f"placement-{this.name}",
            labels={"service": SERVICE_NAME, "owner": this.name},
            uid=UID,
            image=str(spec.get("containerImage", workloads.IMAGE)),
            node_selector=spec.get("nodeSelector") or {},
            networks=spec.get("networkAttachments") or (),
            volumes=[volume],
            mounts=[mount],
        ),
        replicas=int(spec.get("replicas", 1)),
        password=password,
    )


async def _files(this: Round, wanted: Wanted) -> dict[str, str]:
    """The files of `/etc/placement`; NotYet while what they name is not there."""
    spec = this.spec
    caches = await messaging.caches(this, str(spec.get("memcachedInstance", "memcached")))
    login = await database.login(
        this,
        "placement",
        instance=str(spec["databaseInstance"]),
        account=spec.get("databaseAccount"),
        in_use=f"{this.name}-db-sync" in (this.status.get("hash") or {}),
    )
    conf = render_text(
        TEMPLATES,
        "placement.conf.j2",
        login=login,
        memcached=caches,
        identity=await exposure.keystone(this, serving=False),
        user=wanted.entry.user,
        password=wanted.password,
    )
    return {
        "placement.conf": conf,
        "custom.conf": str(spec.get("customServiceConfig") or ""),
        "uwsgi.ini": uwsgi_ini(PORT, "placement.wsgi.api:application", "placement-api"),
    }


CONTROLLER: Final = Controller(
    resource=PLACEMENT_API,
    reconcile=reconcile,
    conditions=(
        "InputReady",
        "ServiceAccountReady",
        "CreateServiceReady",
        "MemcachedReady",
        "DBReady",
        "MariaDBAccountReady",
        "ServiceConfigReady",
        "DBSyncReady",
        "DeploymentReady",
        "KeystoneServiceReady",
        "KeystoneEndpointReady",
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
    ),
    watches=(Watch(KEYSTONE_API, everyone), Watch(MEMCACHED, everyone), Watch(SECRET, everyone)),
)
