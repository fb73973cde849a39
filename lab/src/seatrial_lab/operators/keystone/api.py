"""KeystoneAPI: the identity service, with its database, keys, bus for notifications, jobs, Services and registration.

A round goes on as far as what it knows allows: what is merely not ready at the moment (a database that fails over, a
cache that restarts) is told in its condition, and stops nothing that has no need of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from seatrial_lab.operators.common import database, exposure, messaging, workloads
from seatrial_lab.operators.common.exposure import Port
from seatrial_lab.operators.common.jobs import run_once
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import Controller, NotYet, Round, Watch, everyone
from seatrial_lab.operators.common.resources import (
    CONFIG_MAP,
    KEYSTONE_API,
    KEYSTONE_ENDPOINT,
    KEYSTONE_SERVICE,
    MEMCACHED,
    SECRET,
    TRANSPORT_URL,
    Json,
)
from seatrial_lab.operators.common.secrets import plain, required, secret
from seatrial_lab.operators.common.service import OWNS
from seatrial_lab.operators.common.workloads import Runs
from seatrial_lab.operators.keystone import config

KEYSTONE_UID: Final = 42425  # kolla's number for keystone
DATABASE: Final = "keystone"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one KeystoneAPI asks for, with defaults filled in."""

    name: str
    replicas: int
    region: str
    admin_user: str
    admin_project: str
    runs: Runs
    spec: Json
    password: str = field(repr=False)


async def reconcile(this: Round) -> None:
    """Bring the identity service to what its resource asks for."""
    wanted = await _input(this)
    await workloads.account(this, wanted.runs)
    port = Port("keystone", config.PORT, wanted.runs.labels)
    urls = await exposure.expose(this, port, (wanted.spec.get("override") or {}).get("service") or {})
    this.status["apiEndpoints"] = urls
    bus = (wanted.spec.get("notificationsBus") or {}).get("cluster") or wanted.spec.get("rabbitMqClusterName")
    transport = await messaging.transport(
        this, f"{this.name}-keystone-transport", cluster=bus or "rabbitmq", status="transportURLSecret"
    )
    caches = await messaging.caches(this, str(wanted.spec.get("memcachedInstance", "memcached")))
    login = await database.login(
        this,
        DATABASE,
        instance=str(wanted.spec["databaseInstance"]),
        account=wanted.spec.get("databaseAccount"),
        in_use=f"{this.name}-db-sync" in (this.status.get("hash") or {}),
    )
    keys = await _keys(this, wanted)
    files = config.files(login, caches, transport, str(wanted.spec.get("customServiceConfig") or ""))
    await this.apply(secret(f"{this.name}-config-data", wanted.runs.labels, files))
    this.conditions.true("ServiceConfigReady", "Configuration written")
    keep = bool(wanted.spec.get("preserveJobs"))
    await run_once(this, "DBSyncReady", _job(wanted, "db-sync", ["db_sync"], []), what="DBsync", keep=keep)
    deployment = await this.apply(_deployment(wanted, hash_of([files, keys])))
    workloads.count(this, deployment)
    await run_once(this, "BootstrapReady", _bootstrap(wanted, urls), what="Bootstrap", keep=keep)
    await _register(this, wanted, urls)
    workloads.deployed(this, deployment)


async def _input(this: Round) -> Wanted:
    spec = this.spec
    key = str((spec.get("passwordSelectors") or {}).get("admin", "AdminPassword"))
    password = (await required(this, str(spec["secret"]), key))[key]
    this.conditions.true("InputReady", "Input data complete")
    region = str(spec.get("region", "regionOne"))
    this.status.update(region=region, databaseHostname=f"{spec['databaseInstance']}.{this.namespace}.svc")
    return Wanted(
        name=this.name,
        replicas=int(spec.get("replicas", 1)),
        region=region,
        admin_user=str(spec.get("adminUser", "admin")),
        admin_project=str(spec.get("adminProject", "admin")),
        runs=Runs(
            account=f"keystone-{this.name}",
            labels={"service": "keystone", "owner": this.name},
            uid=KEYSTONE_UID,
            image=str(spec.get("containerImage", workloads.IMAGE)),
            node_selector=spec.get("nodeSelector") or {},
            volumes=config.volumes("config-data", this.name, f"{this.name}-config-data"),
            mounts=[{"name": "config-data", "mountPath": "/etc/keystone", "readOnly": True}],
        ),
        spec=spec,
        password=password,
    )


async def _keys(this: Round, wanted: Wanted) -> dict[str, str]:
    """The keys of tokens and credentials: made once. A new set makes every token given so far invalid."""
    await this.create(secret(this.name, wanted.runs.labels, config.new_keys()))
    found = await this.get(SECRET, this.name)
    if found is None:
        raise NotYet("ServiceConfigReady", f"Secret {this.name} has vanished", look_again_s=1)
    return plain(found)


def _bootstrap(wanted: Wanted, urls: Mapping[str, str]) -> Json:
    arguments = ["bootstrap", "--bootstrap-region-id", wanted.region]
    arguments += ["--bootstrap-username", wanted.admin_user, "--bootstrap-project-name", wanted.admin_project]
    for interface, url in sorted(urls.items()):
        arguments += [f"--bootstrap-{interface}-url", url]
    key = str((wanted.spec.get("passwordSelectors") or {}).get("admin", "AdminPassword"))
    environment: list[Json] = [
        {
            "name": "OS_BOOTSTRAP_PASSWORD",
            "valueFrom": {"secretKeyRef": {"name": wanted.spec["secret"], "key": key}},
        },
        # A new password is set by a new bootstrap; nobody needs to be told about either.
        {"name": "PASSWORD_HASH", "value": hash_of(["bootstrap", wanted.password])},
        {"name": "OS_OSLO_MESSAGING_NOTIFICATIONS__DRIVER", "value": "noop"},
    ]
    return _job(wanted, "bootstrap", arguments, environment)


def _job(wanted: Wanted, what: str, arguments: list[str], environment: list[Json]) -> Json:
    files = ["--config-file", "/etc/keystone/keystone.conf", "--config-file", "/etc/keystone/custom.conf"]
    command = [*workloads.program("keystone-manage"), *files, *arguments]
    return workloads.job(f"{wanted.name}-{what}", wanted.runs, command, what=what, env=environment)


def _deployment(wanted: Wanted, config_hash: str) -> Json:
    env = {"OS_KEYSTONE_CONFIG_DIR": "/etc/keystone", "OS_KEYSTONE_CONFIG_FILES": "keystone.conf;custom.conf"}
    api = workloads.wsgi("keystone-api", config.PORT, "/etc/keystone/uwsgi.ini", "/v3", env)
    return workloads.workload(
        "Deployment",
        wanted.name,
        wanted.runs,
        replicas=wanted.replicas,
        config_hash=config_hash,
        containers=[api],
    )


async def _register(this: Round, wanted: Wanted, urls: Mapping[str, str]) -> None:
    """The service's own entry in the catalogue, and the files by which clients find it."""
    public = urls["public"]
    cloud = config.clouds(
        public,
        user=wanted.admin_user,
        project=wanted.admin_project,
        region=wanted.region,
        password=wanted.password,
    )
    await this.apply_all(cloud)
    service = {"serviceType": "identity", "serviceName": "keystone", "serviceDescription": "OpenStack Identity"}
    for kind, spec in (
        (KEYSTONE_SERVICE, {**service, "enabled": True}),
        (KEYSTONE_ENDPOINT, {"serviceName": "keystone", "endpoints": dict(urls)}),
    ):
        manifest = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "keystone"}, "spec": spec}
        await this.apply(manifest)


KEYSTONE_API_CONTROLLER: Final = Controller(
    resource=KEYSTONE_API,
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
        "BootstrapReady",
        "DeploymentReady",
    ),
    owns=(CONFIG_MAP, *OWNS, TRANSPORT_URL),
    # The administrator's password, the database's and the bus's are in Secrets of others.
    watches=(Watch(MEMCACHED, everyone), Watch(SECRET, everyone)),
)
