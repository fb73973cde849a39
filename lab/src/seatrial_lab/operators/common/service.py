"""A service of OpenStack that is one API in a Deployment: its database, Services, registration and pods, in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from seatrial_lab.operators.common import attachments, database, exposure, workloads
from seatrial_lab.operators.common.database import Login
from seatrial_lab.operators.common.exposure import Entry, Port
from seatrial_lab.operators.common.jobs import run_once
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import Round
from seatrial_lab.operators.common.resources import (
    DEPLOYMENT,
    JOB,
    KEYSTONE_ENDPOINT,
    KEYSTONE_SERVICE,
    MARIADB_ACCOUNT,
    MARIADB_DATABASE,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    Json,
)
from seatrial_lab.operators.common.secrets import required, secret
from seatrial_lab.operators.common.workloads import Runs, config_volume

OWNS: Final = (
    DEPLOYMENT,
    JOB,
    KEYSTONE_ENDPOINT,
    KEYSTONE_SERVICE,
    MARIADB_ACCOUNT,
    MARIADB_DATABASE,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
)
"""What such a service is made of."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one resource of a service asks for."""

    entry: Entry
    runs: Runs
    replicas: int
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiService:
    """What there is to say of one service."""

    name: str
    """Of the service, its user and its database, and the label of its pods."""
    type: str
    """In Keystone's catalogue, with `title`."""
    title: str
    port: int
    uid: int
    """The user that its pods run as: kolla's number for it."""
    password: str
    """The key of its password in the control plane's Secret, where the resource names no other."""
    sync: Sequence[str]
    """The command that brings its tables to what the release needs."""
    files: Callable[[Round, Wanted], Awaitable[dict[str, str]]]
    """The files of its folder in `/etc`; NotYet while what they name is not there."""
    containers: Callable[[], Sequence[Json]]
    paths: Mapping[str, str] | None = None
    """Where a file lies, by its name, if not all lie in one folder."""
    state: str | None = None
    """A folder for what a pod may forget."""


async def reconcile(this: Round, service: ApiService) -> None:
    """Bring a service to what its resource asks for."""
    spec, wanted = this.spec, await _input(this, service)
    await workloads.account(this, wanted.runs)
    port = Port(service.name, service.port, wanted.runs.labels)
    urls = await exposure.expose(this, port, (spec.get("override") or {}).get("service") or {})
    await attachments.required(this, wanted.runs.networks)
    files = await service.files(this, wanted)
    await this.apply(secret(f"{this.name}-config-data", wanted.runs.labels, files))
    this.conditions.true("ServiceConfigReady", "Configuration written")
    sync = workloads.job(_sync_name(this), wanted.runs, service.sync, what="db-sync")
    await run_once(this, "DBSyncReady", sync, what="DBsync", keep=bool(spec.get("preserveJobs")))
    deployment = workloads.workload(
        "Deployment",
        this.name,
        wanted.runs,
        replicas=wanted.replicas,
        config_hash=hash_of(files),
        containers=service.containers(),
    )
    live = await this.apply(deployment)
    workloads.count(this, live)
    await exposure.register(this, wanted.entry, urls)
    workloads.deployed(this, live)
    await attachments.attached(this, wanted.runs.networks, wanted.runs.labels, wanted=wanted.replicas)


async def login(this: Round, name: str) -> Login:
    """How the service logs in to its database, which is made here."""
    return await database.login(
        this,
        name,
        instance=str(this.spec["databaseInstance"]),
        account=this.spec.get("databaseAccount"),
        in_use=_sync_name(this) in (this.status.get("hash") or {}),
    )


def _sync_name(this: Round) -> str:
    return f"{this.name}-db-sync"


async def _input(this: Round, service: ApiService) -> Wanted:
    spec = this.spec
    key = str((spec.get("passwordSelectors") or {}).get("service", service.password))
    password = (await required(this, str(spec["secret"]), key))[key]
    this.conditions.true("InputReady", "Input data complete")
    this.status["databaseHostname"] = f"{spec['databaseInstance']}.{this.namespace}.svc"
    volume, mount = config_volume(f"{this.name}-config-data", f"/etc/{service.name}", service.paths)
    volumes, mounts = [volume], [mount]
    if service.state:
        volumes.append({"name": "state", "emptyDir": {}})
        mounts.append({"name": "state", "mountPath": service.state})
    user = str(spec.get("serviceUser", service.name))
    return Wanted(
        entry=Entry(service.name, service.type, service.title, str(spec["secret"]), key, user),
        runs=Runs(
            account=f"{service.name}-{this.name}",
            labels={"service": service.name, "owner": this.name},
            uid=service.uid,
            image=str(spec.get("containerImage", workloads.IMAGE)),
            node_selector=spec.get("nodeSelector") or {},
            networks=spec.get("networkAttachments") or (),
            volumes=volumes,
            mounts=mounts,
        ),
        replicas=int(spec.get("replicas", 1)),
        password=password,
    )
