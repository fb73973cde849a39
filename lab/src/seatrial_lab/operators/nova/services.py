"""The components, a kind each: NovaAPI, NovaScheduler, NovaMetadata, NovaConductor, NovaNoVNCProxy.

What they need to know of databases and buses has been seen to by the Nova above them: it is in their specification,
in a Secret made for them, and in the accounts that the specification names.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from seatrial_lab.operators.common import exposure, messaging, workloads
from seatrial_lab.operators.common.conditions import is_ready, said
from seatrial_lab.operators.common.database import Login, login_of
from seatrial_lab.operators.common.exposure import Identity, Port
from seatrial_lab.operators.common.jobs import run_once
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.messaging import Transport
from seatrial_lab.operators.common.reconciler import EVERY, Controller, Key, NotYet, Round, Watch, everyone
from seatrial_lab.operators.common.resources import (
    CRON_JOB,
    JOB,
    KEYSTONE_ENDPOINT,
    KEYSTONE_SERVICE,
    MARIADB_ACCOUNT,
    MEMCACHED,
    NOVA_API,
    NOVA_CONDUCTOR,
    NOVA_METADATA,
    NOVA_NO_VNC_PROXY,
    NOVA_SCHEDULER,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    Json,
    Resource,
)
from seatrial_lab.operators.common.secrets import required, secret
from seatrial_lab.operators.common.workloads import HOME, Runs
from seatrial_lab.operators.nova import config, jobs
from seatrial_lab.operators.nova.config import API_PORT, METADATA_PORT, VNC_PORT, Facts

NOVA_UID: Final = 42436  # kolla's number for nova
STATE: Final = "/var/lib/nova"
WSGI_ENV: Final = {
    "OS_NOVA_CONFIG_DIR": "/etc/nova",
    # The first is what the application is loaded by.
    "OS_NOVA_CONFIG_FILES": f"{HOME}/etc/nova/api-paste.ini;01-nova.conf;02-nova-override.conf",
}


@dataclass(frozen=True, slots=True)
class Component:
    """What one resource of a component comes to."""

    service: str
    """RHOSO's name of the component: its pods' label, its part of the configuration."""
    facts: Facts
    runs: Runs
    files: dict[str, str]


async def reconcile_api(this: Round) -> None:
    """Compute's API, and its endpoint in Keystone's catalogue."""
    api = await _component(this, "nova-api")
    urls = await exposure.expose(this, api_port(), _override(this))
    live = await _serve(this, api, workloads.wsgi(f"{this.name}-api", API_PORT, "/etc/nova/uwsgi.ini", "/", WSGI_ENV))
    await exposure.register_endpoint(this, "nova", urls)
    workloads.deployed(this, live)


async def reconcile_scheduler(this: Round) -> None:
    """What chooses a compute node for each server."""
    scheduler = await _component(this, "nova-scheduler")
    live = await _serve(this, scheduler, _daemon(f"{this.name}-scheduler", "nova-scheduler"))
    workloads.deployed(this, live)


async def reconcile_metadata(this: Round) -> None:
    """What tells servers about themselves, by way of Neutron's agents, which get to know it from a Secret."""
    metadata = await _component(this, "nova-metadata")
    cell = this.spec.get("cellName")
    name, labels = f"nova-metadata-{cell}" if cell else "nova-metadata", metadata.runs.labels
    port = Port(name, METADATA_PORT, labels, endpoints=("internal",), labels=labels)
    urls = await exposure.expose(this, port, {"internal": _override(this)})
    known = config.neutron_metadata(urls["internal"], metadata.facts.metadata_secret)
    await this.apply(secret(f"{this.name}-neutron-config", metadata.runs.labels, known))
    ini = "/etc/nova/uwsgi.ini"
    live = await _serve(this, metadata, workloads.wsgi(f"{this.name}-metadata", METADATA_PORT, ini, "/", WSGI_ENV))
    workloads.deployed(this, live)


async def reconcile_conductor(this: Round) -> None:
    """What a cell's compute nodes reach its database through, once the tables are there; cell0's serves the API."""
    conductor = await _component(this, "nova-conductor")
    cell = str(this.spec["cellName"])
    await jobs.scripts(this, this.name, "nova-conductor.openstack.org/name")
    sync = jobs.job(f"{this.name}-db-sync", this.name, conductor.runs, act="sync", cell=cell)
    keep = bool(this.spec.get("preserveJobs"))
    await run_once(this, "DBSyncReady", sync, what="DBsync", keep=keep)
    await _may_log_in(this)
    live = await _serve(this, conductor, _daemon(f"{this.name}-conductor", "nova-conductor"))
    name = f"{this.name.removesuffix('-conductor')}-db-purge"
    await this.apply(jobs.purge(name, this.name, conductor.runs, cell=cell))
    this.conditions.true("CronJobReady", f"CronJob {name} exists")
    workloads.deployed(this, live)


async def _may_log_in(this: Round) -> None:
    """At its start a conductor logs in for Placement. Without Keystone it goes on; turned away by it, it ends."""
    registered = await this.get(KEYSTONE_SERVICE, "nova")
    if not is_ready(registered) and await this.get(STATEFUL_SET, this.name) is None:
        raise NotYet("DeploymentReady", f"KeystoneService nova: {said(registered)}")


async def reconcile_novncproxy(this: Round) -> None:
    """The way from a browser to the console of a cell's servers."""
    proxy = await _component(this, "nova-novncproxy")
    port = vnc_port(str(this.spec["cellName"]))
    await exposure.expose(this, port, {"public": _override(this)})
    container = _daemon(f"{this.name}-novncproxy", "nova-novncproxy")
    look = {"httpGet": {"path": port.path, "port": VNC_PORT, "scheme": "HTTP"}}
    container["ports"] = [{"name": "novncproxy", "containerPort": VNC_PORT, "protocol": "TCP"}]
    container["startupProbe"] = {**look, "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 120}
    container["readinessProbe"] = {**look, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3}
    live = await _serve(this, proxy, container)
    workloads.deployed(this, live)


def api_port() -> Port:
    """Where the API is to be found."""
    return Port("nova", API_PORT, {"service": "nova-api"}, path="/v2.1", labels={"service": "nova-api"})


def vnc_port(cell: str) -> Port:
    """Where a cell's consoles are to be found."""
    labels = {"service": "nova-novncproxy", "cell": cell}
    name = f"nova-novncproxy-{cell}"
    return Port(name, VNC_PORT, labels, endpoints=("public",), path="/vnc_lite.html", labels=labels)


def _override(this: Round) -> Json:
    return dict((this.spec.get("override") or {}).get("service") or {})


def _daemon(name: str, binary: str) -> Json:
    return workloads.daemon(name, [*workloads.program(binary), "--config-dir", "/etc/nova"], {}, memory="224Mi")


async def _component(this: Round, service: str) -> Component:
    """Read what the component needs, and write its configuration."""
    facts = await _facts(this, service)
    cell = this.spec.get("cellName")
    volume, mount = workloads.config_volume(f"{this.name}-config-data", "/etc/nova")
    runs = Runs(
        account=str(this.spec["serviceAccount"]),
        labels={"service": service, **({"cell": str(cell)} if cell else {})},
        uid=NOVA_UID,
        node_selector=this.spec.get("nodeSelector") or {},
        volumes=[volume, {"name": "state", "emptyDir": {}}],
        mounts=[mount, {"name": "state", "mountPath": STATE}],
    )
    files = config.files(service, facts, str(this.spec.get("customServiceConfig") or ""))
    await this.apply(secret(f"{this.name}-config-data", {f"{service}.openstack.org/name": this.name}, files))
    this.conditions.true("ServiceConfigReady", "Configuration written")
    return Component(service, facts, runs, files)


async def _facts(this: Round, service: str) -> Facts:
    spec = this.spec
    keys = ["ServicePassword", "transport_url"] + (["MetadataSecret"] if service == "nova-metadata" else [])
    known = await required(this, str(spec["secret"]), *keys)
    database = await _tables_of_cell(this)
    api_database = None
    # The proxy finds tokens and servers in its cell alone.
    if spec.get("apiDatabaseHostname") and service != "nova-novncproxy":
        account, host = str(spec["apiDatabaseAccount"]), str(spec["apiDatabaseHostname"])
        api_database = await login_of(this, account, host=host, database="nova_api")
    this.conditions.true("InputReady", "Input data complete")
    return Facts(
        identity=identity_of(spec),
        transport=transport_of(known),
        user=str(spec["serviceUser"]),
        password=known["ServicePassword"],
        memcached=await messaging.caches(this, str(spec["memcachedInstance"])),
        database=database,
        api_database=api_database,
        metadata_secret=known.get("MetadataSecret", ""),
        per_cell=bool(spec.get("cellName")),
    )


async def _tables_of_cell(this: Round) -> Login:
    """A component of no cell in particular works on the tables of cell0."""
    cell = this.spec.get("cellName")
    prefix = "cell" if cell else "cell0"
    account, host = str(this.spec[f"{prefix}DatabaseAccount"]), str(this.spec[f"{prefix}DatabaseHostname"])
    return await login_of(this, account, host=host, database=f"nova_{cell or 'cell0'}")


def identity_of(spec: Json) -> Identity:
    """Keystone, as the specification of a component or cell names it."""
    internal = str(spec["keystoneAuthURL"])
    return Identity(internal, str(spec.get("keystonePublicAuthURL") or internal), str(spec["region"]))


def transport_of(known: dict[str, str]) -> Transport:
    """The message bus, as a Secret of the Nova above names it."""
    return Transport(known["transport_url"], known.get("quorum_queues") == "true")


async def _serve(this: Round, component: Component, container: Json) -> Json:
    """See to the StatefulSet. A cell that was registered, or is mapped otherwise now, is only seen by new processes."""
    changes = hash_of([component.files, this.spec.get("registeredCells")])
    live = await this.apply(
        workloads.workload(
            "StatefulSet",
            this.name,
            component.runs,
            replicas=int(this.spec.get("replicas", 1)),
            config_hash=changes,
            containers=[container],
        )
    )
    workloads.count(this, live)
    return live


def _accounts(other: Json) -> Iterable[Key]:
    """Accounts of Nova's databases."""
    if str((other["metadata"].get("labels") or {}).get("mariaDBDatabaseName", "")).startswith("nova-"):
        yield other["metadata"]["namespace"], EVERY


def _passwords(other: Json) -> Iterable[Key]:
    """Secrets that a Nova has made for its components, and those of the databases' accounts."""
    labels, name = other["metadata"].get("labels") or {}, str(other["metadata"]["name"])
    if "nova.openstack.org/name" in labels or name.endswith("-db-secret"):
        yield other["metadata"]["namespace"], EVERY


def _controller(
    resource: Resource,
    reconcile: Callable[[Round], Awaitable[None]],
    *more: str,
    owns: tuple[Resource, ...] = (),
    watches: tuple[Watch, ...] = (),
) -> Controller:
    return Controller(
        resource=resource,
        reconcile=reconcile,
        conditions=("InputReady", "MemcachedReady", "ServiceConfigReady", *more, "DeploymentReady"),
        owns=(SECRET, STATEFUL_SET, *owns),
        watches=(Watch(SECRET, _passwords), Watch(MARIADB_ACCOUNT, _accounts), Watch(MEMCACHED, everyone), *watches),
    )


SERVICE_CONTROLLERS: Final = (
    _controller(
        NOVA_API,
        reconcile_api,
        "CreateServiceReady",
        "KeystoneEndpointReady",
        owns=(SERVICE, KEYSTONE_ENDPOINT),
    ),
    _controller(NOVA_SCHEDULER, reconcile_scheduler),
    _controller(NOVA_METADATA, reconcile_metadata, "CreateServiceReady", owns=(SERVICE,)),
    _controller(
        NOVA_CONDUCTOR,
        reconcile_conductor,
        "DBSyncReady",
        "CronJobReady",
        owns=(JOB, CRON_JOB),
        watches=(Watch(KEYSTONE_SERVICE, everyone),),
    ),
    _controller(NOVA_NO_VNC_PROXY, reconcile_novncproxy, "CreateServiceReady", owns=(SERVICE,)),
)
