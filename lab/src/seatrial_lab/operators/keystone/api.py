"""KeystoneAPI: the identity service, with its database, keys, bus for notifications, jobs, Services and registration.

A round goes on as far as what it knows allows: what is merely not ready at the moment (a database that fails over, a
cache that restarts) is told in its condition, and stops nothing that has no need of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from seatrial_lab.operators.common.conditions import is_ready
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import EVERY, Controller, Key, NotYet, Round, Watch
from seatrial_lab.operators.common.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    JOB,
    KEYSTONE_API,
    KEYSTONE_ENDPOINT,
    KEYSTONE_SERVICE,
    MARIADB_ACCOUNT,
    MARIADB_DATABASE,
    MEMCACHED,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    TRANSPORT_URL,
    Json,
)
from seatrial_lab.operators.common.templates import render
from seatrial_lab.operators.keystone import config
from seatrial_lab.operators.keystone.config import Login, Transport
from seatrial_lab.operators.keystone.jobs import run_once

IMAGE: Final = "lab.local/base:1"
KEYSTONE_UID: Final = 42425  # kolla's number for keystone
SECURITY: Final = {"runAsUser": KEYSTONE_UID, "runAsGroup": KEYSTONE_UID, "fsGroup": KEYSTONE_UID}
DATABASE: Final = "keystone"
LOOK_AGAIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one KeystoneAPI asks for, with defaults filled in."""

    name: str
    namespace: str
    replicas: int
    region: str
    admin_user: str
    admin_project: str
    image: str
    node_selector: Mapping[str, str]
    spec: Json
    password: str = field(repr=False)

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the API's pods."""
        return {"service": "keystone", "owner": self.name}

    @property
    def databases(self) -> str:
        """Where the database instance answers."""
        return f"{self.spec['databaseInstance']}.{self.namespace}.svc"


async def reconcile(this: Round) -> None:
    """Bring the identity service to what its resource asks for."""
    wanted = await _input(this)
    this.status.update(region=wanted.region, databaseHostname=wanted.databases)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": f"keystone-{this.name}"}}
    await this.apply({**account, "automountServiceAccountToken": False})
    this.conditions.true("ServiceAccountReady", f"ServiceAccount keystone-{this.name} exists")
    urls = await _services(this, wanted)
    transport = await _transport(this, wanted)
    caches = await _caches(this, wanted)
    database = await _database(this, wanted)
    keys = await _keys(this, wanted)
    files = config.files(database, caches, transport, str(wanted.spec.get("customServiceConfig") or ""))
    await this.apply(config.secret(f"{this.name}-config-data", wanted.labels, files))
    this.conditions.true("ServiceConfigReady", "Configuration written")
    keep = bool(wanted.spec.get("preserveJobs"))
    await run_once(this, "DBSyncReady", _db_sync(wanted), what="DBsync", keep=keep)
    deployment = await this.apply(_deployment(wanted, hash_of([files, keys])))
    _count(this, deployment)
    await run_once(this, "BootstrapReady", _bootstrap(wanted, urls), what="Bootstrap", keep=keep)
    await _register(this, wanted, urls)
    _deployed(this, deployment)


async def _input(this: Round) -> Wanted:
    spec = this.spec
    secret, key = str(spec["secret"]), str((spec.get("passwordSelectors") or {}).get("admin", "AdminPassword"))
    found = await this.get(SECRET, secret)
    password = config.plain(found).get(key) if found else None
    if not password:
        raise NotYet("InputReady", f"Secret {secret} with key {key} is missing", severity="Warning")
    this.conditions.true("InputReady", "Input data complete")
    return Wanted(
        name=this.name,
        namespace=this.namespace,
        replicas=int(spec.get("replicas", 1)),
        region=str(spec.get("region", "regionOne")),
        admin_user=str(spec.get("adminUser", "admin")),
        admin_project=str(spec.get("adminProject", "admin")),
        image=str(spec.get("containerImage", IMAGE)),
        node_selector=spec.get("nodeSelector") or {},
        spec=spec,
        password=password,
    )


async def _services(this: Round, wanted: Wanted) -> dict[str, str]:
    """The two Services, and the URLs under which the API is reached through them."""
    overrides = (wanted.spec.get("override") or {}).get("service") or {}
    urls = {}
    for endpoint in ("internal", "public"):
        live = await this.apply(_service(wanted, endpoint, overrides.get(endpoint) or {}))
        host = f"{live['metadata']['name']}.{this.namespace}.svc"
        if live["spec"]["type"] == "LoadBalancer":
            given = ((live.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
            if not given:
                raise NotYet("CreateServiceReady", f"{live['metadata']['name']} has no address yet", look_again_s=2)
            # A public name would need a DNS that those outside use: the address needs none.
            host = str(given[0]["ip"]) if endpoint == "public" else host
        urls[endpoint] = f"http://{host}:{config.PORT}"
    this.status["apiEndpoints"] = urls
    this.conditions.true("CreateServiceReady", "Services exist")
    return urls


def _service(wanted: Wanted, endpoint: str, override: Json) -> Json:
    meta, name = override.get("metadata") or {}, f"keystone-{endpoint}"
    port = {"name": name, "port": config.PORT, "targetPort": config.PORT, "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "labels": {**(meta.get("labels") or {}), "service": "keystone", "endpoint": endpoint},
            "annotations": meta.get("annotations") or {},
        },
        "spec": {"type": "ClusterIP", **(override.get("spec") or {}), "selector": wanted.labels, "ports": [port]},
    }


async def _transport(this: Round, wanted: Wanted) -> Transport:
    """The bus that notifications go to."""
    bus = (wanted.spec.get("notificationsBus") or {}).get("cluster") or wanted.spec.get("rabbitMqClusterName")
    name = f"{this.name}-keystone-transport"
    live = await this.apply(
        {
            "apiVersion": TRANSPORT_URL.api_version,
            "kind": TRANSPORT_URL.kind,
            "metadata": {"name": name},
            "spec": {"rabbitmqClusterName": bus or "rabbitmq"},
        }
    )
    secret_name = (live.get("status") or {}).get("secretName")
    secret = await this.get(SECRET, secret_name) if secret_name else None
    if secret is None:
        raise NotYet("RabbitMqTransportURLReady", f"TransportURL {name} has no Secret yet")
    this.status["transportURLSecret"] = secret_name
    if is_ready(live):
        this.conditions.true("RabbitMqTransportURLReady", f"TransportURL {name} is ready")
    else:
        this.conditions.waiting("RabbitMqTransportURLReady", f"TransportURL {name} is not ready")
    values = config.plain(secret)
    return Transport(values["transport_url"], values.get("quorumqueues") == "true")


async def _caches(this: Round, wanted: Wanted) -> list[str]:
    """The servers that tokens and the catalogue are cached in."""
    name = str(wanted.spec.get("memcachedInstance", "memcached"))
    memcached = await this.get(MEMCACHED, name)
    servers = ((memcached or {}).get("status") or {}).get("serverList")
    if servers is None:
        raise NotYet("MemcachedReady", f"Memcached {name} has no servers yet")
    if is_ready(memcached):
        this.conditions.true("MemcachedReady", f"Memcached {name} is ready")
    else:
        this.conditions.waiting("MemcachedReady", f"Memcached {name} is not ready")
    return [str(server) for server in servers]


async def _database(this: Round, wanted: Wanted) -> Login:
    """The database and the account, which the mariadb operator makes."""
    instance, name = str(wanted.spec["databaseInstance"]), str(wanted.spec.get("databaseAccount", DATABASE))
    labels = {"dbName": instance}
    database = await this.apply(
        {
            "apiVersion": MARIADB_DATABASE.api_version,
            "kind": MARIADB_DATABASE.kind,
            "metadata": {"name": DATABASE, "labels": labels},
            "spec": {"name": DATABASE},
        }
    )
    account = await this.apply(
        {
            "apiVersion": MARIADB_ACCOUNT.api_version,
            "kind": MARIADB_ACCOUNT.kind,
            "metadata": {"name": name, "labels": {**labels, "mariaDBDatabaseName": DATABASE}},
            "spec": {"requireTLS": False},
        }
    )
    waiting_for = "MariaDBAccountReady" if is_ready(database) else "DBReady"
    for condition, live in (("DBReady", database), ("MariaDBAccountReady", account)):
        if is_ready(live):
            this.conditions.true(condition, f"{live['kind']} {live['metadata']['name']} is ready")
        else:
            this.conditions.waiting(condition, f"{live['kind']} {live['metadata']['name']} is not ready")
    secret_name = (account.get("status") or {}).get("currentSecret")
    secret = await this.get(SECRET, secret_name) if secret_name else None
    synced = f"{this.name}-db-sync" in (this.status.get("hash") or {})
    if secret is None or not (synced or (is_ready(database) and is_ready(account))):
        raise NotYet(waiting_for, f"MariaDBDatabase {DATABASE} and MariaDBAccount {name} are being made")
    return Login(
        user=str(account["spec"]["userName"]),
        host=wanted.databases,
        database=DATABASE,
        password=config.plain(secret)["DatabasePassword"],
    )


async def _keys(this: Round, wanted: Wanted) -> dict[str, str]:
    """The keys of tokens and credentials: made once. A new set makes every token given so far invalid."""
    await this.create(config.secret(this.name, wanted.labels, config.new_keys()))
    found = await this.get(SECRET, this.name)
    if found is None:
        raise NotYet("ServiceConfigReady", f"Secret {this.name} has vanished", look_again_s=1)
    return config.plain(found)


def _db_sync(wanted: Wanted) -> Json:
    return _job(wanted, "db-sync", ["db_sync"], [])


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
    manage = [f"{config.HOME}/bin/python", f"{config.HOME}/bin/keystone-manage"]
    files = ["--config-file", "/etc/keystone/keystone.conf", "--config-file", "/etc/keystone/custom.conf"]
    [job] = render(
        config.TEMPLATES,
        "job.yaml.j2",
        job=f"{wanted.name}-{what}",
        name=wanted.name,
        labels={"owner": wanted.name, "job": what},
        node_selector=wanted.node_selector,
        security=SECURITY,
        image=wanted.image,
        command=["catatonit", "--", *manage, *files, *arguments],
        env=environment,
        volumes=config.volumes("config-data", wanted.name, f"{wanted.name}-config-data"),
    )
    return job


def _deployment(wanted: Wanted, config_hash: str) -> Json:
    [deployment] = render(
        config.TEMPLATES,
        "keystone.yaml.j2",
        name=wanted.name,
        labels=wanted.labels,
        replicas=wanted.replicas,
        node_selector=wanted.node_selector,
        security=SECURITY,
        image=wanted.image,
        home=config.HOME,
        port=config.PORT,
        config_hash=config_hash,
        volumes=config.volumes("config-data", wanted.name, f"{wanted.name}-config-data"),
    )
    return deployment


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
        # Not by `this.apply`: that hides the event of the write from this process, where another controller waits
        # for it.
        await this.kube.apply(this.owned(manifest))


def _count(this: Round, deployment: Json) -> None:
    this.status["readyCount"] = int((deployment.get("status") or {}).get("readyReplicas") or 0)


def _deployed(this: Round, deployment: Json) -> None:
    """Say whether all replicas serve, with the configuration of now."""
    live, wanted = deployment.get("status") or {}, int(deployment["spec"]["replicas"])
    counts = [int(live.get(key) or 0) for key in ("replicas", "updatedReplicas", "readyReplicas")]
    current = live.get("observedGeneration") == deployment["metadata"]["generation"]
    if not current or any(count != wanted for count in counts):
        ready = this.status["readyCount"]
        raise NotYet("DeploymentReady", f"{ready} of {wanted} replicas are ready", look_again_s=LOOK_AGAIN_S)
    this.conditions.true("DeploymentReady", f"{wanted} replicas are ready")


def _everything(other: Json) -> Iterable[Key]:
    yield other["metadata"]["namespace"], EVERY


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
    owns=(
        CONFIG_MAP,
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
    # The administrator's password, the database's and the bus's are in Secrets of others.
    watches=(Watch(MEMCACHED, _everything), Watch(SECRET, _everything)),
)
