"""Nova: databases, message buses, cells and their mapping, and the components that serve all cells.

A cell's trouble holds up no other cell, and nothing that already serves all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from seatrial_lab.operators.common import database, exposure, messaging, workloads
from seatrial_lab.operators.common.conditions import condition_of, is_ready, said
from seatrial_lab.operators.common.database import Login
from seatrial_lab.operators.common.exposure import Entry, Identity
from seatrial_lab.operators.common.jobs import run_once
from seatrial_lab.operators.common.kube import controller_of, hash_of
from seatrial_lab.operators.common.messaging import Transport
from seatrial_lab.operators.common.reconciler import Controller, Key, NotYet, Round, Watch, everyone
from seatrial_lab.operators.common.resources import (
    DATA_PLANE_DEPLOYMENT,
    JOB,
    KEYSTONE_API,
    KEYSTONE_SERVICE,
    MARIADB_ACCOUNT,
    MARIADB_DATABASE,
    MEMCACHED,
    NOVA,
    NOVA_API,
    NOVA_CELL,
    NOVA_CONDUCTOR,
    NOVA_METADATA,
    NOVA_SCHEDULER,
    SECRET,
    SERVICE_ACCOUNT,
    TRANSPORT_URL,
    Json,
)
from seatrial_lab.operators.common.secrets import required, secret
from seatrial_lab.operators.common.workloads import Runs
from seatrial_lab.operators.nova import config, jobs
from seatrial_lab.operators.nova.cell import CELL0
from seatrial_lab.operators.nova.children import all_of, child, no_child, service_spec
from seatrial_lab.operators.nova.config import MANAGE, Facts
from seatrial_lab.operators.nova.services import NOVA_UID

KEYSTONE, API_DATABASE, DATABASES = "KeystoneServiceReady", "NovaAPIDBReady", "NovaAllCellDBReady"
API_BUS, BUSES, CELLS, DELETION = "NovaAPIMQReady", "NovaAllCellsMQReady", "NovaAllCellReady", "NovaCellsDeletion"
API, SCHEDULER, METADATA = "NovaAPIReady", "NovaSchedulerReady", "NovaMetadataReady"
LABEL: Final = "nova.openstack.org/name"
API_ACCOUNT: Final = "nova-api"
# What a cell has of its own template; the rest of its specification is found out.
OF_A_CELL: Final = ("conductorServiceTemplate", "metadataServiceTemplate", "noVNCProxyServiceTemplate", "nodeSelector")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one Nova asks for, with defaults filled in."""

    spec: Json
    account: str
    memcached: str
    password_key: str
    password: str = field(repr=False)
    metadata_secret: str = field(repr=False)

    @property
    def cells(self) -> list[str]:
        """cell0 first: the API's tables are made together with its own."""
        return sorted(self.spec["cellTemplates"], key=lambda cell: (cell != CELL0, cell))

    def template(self, cell: str) -> Json:
        """What a cell asks for."""
        return dict(self.spec["cellTemplates"][cell] or {})

    def database_account(self, cell: str) -> str:
        """The MariaDBAccount of a cell's tables."""
        return str(self.template(cell).get("cellDatabaseAccount") or f"nova-{cell}")

    def reaches_api_database(self, cell: str) -> bool:
        """Whether a cell may ask the API's tables; cell0 is one with them."""
        return cell == CELL0 or bool(self.template(cell).get("hasAPIAccess", False))


@dataclass(frozen=True, slots=True)
class Ground:
    """What all cells stand on: databases, buses, and the way to Keystone."""

    identity: Identity
    api: Login
    databases: Mapping[str, Login]
    buses: Mapping[str, Transport]


async def reconcile(this: Round) -> None:
    """One round for one Nova."""
    wanted = await _input(this)
    await workloads.account(this, _manages(wanted))
    ground = await _ground(this, wanted)
    cells = {
        cell: await _cell(this, wanted, ground, cell)
        for cell in wanted.cells
        if cell in ground.databases and cell in ground.buses
    }
    await _mirror_cells(this, wanted, ground, cells)
    await _serve(this, wanted, ground)
    await _remove_cells(this, wanted)


async def _input(this: Round) -> Wanted:
    spec = this.spec
    selectors = {"service": "NovaPassword", "metadataSecret": "MetadataSecret", **(spec.get("passwordSelectors") or {})}
    found = await required(this, str(spec["secret"]), selectors["service"], selectors["metadataSecret"])
    this.conditions.true("InputReady", "Input data complete")
    return Wanted(
        spec=spec,
        account=f"nova-{this.name}",
        memcached=str(spec.get("memcachedInstance", "memcached")),
        password_key=selectors["service"],
        password=found[selectors["service"]],
        metadata_secret=found[selectors["metadataSecret"]],
    )


async def _ground(this: Round, wanted: Wanted) -> Ground:
    """See to databases, buses and the service's user; NotYet while even the API's own are missing."""
    spec, known = wanted.spec, this.status.get("registeredCells") or {}
    # All are asked for before any is waited for.
    entry = Entry("nova", "compute", "Nova Compute Service", str(spec["secret"]), wanted.password_key)
    registered = {"nova": partial(exposure.register_service, this, entry)}
    await all_of(this, KEYSTONE, "Setup complete", registered)
    caches = {wanted.memcached: partial(messaging.caches, this, wanted.memcached)}
    await all_of(this, "MemcachedReady", "Memcached instance has been provisioned", caches)
    api = partial(
        database.login,
        this,
        "nova-api",
        instance=str(spec["apiDatabaseInstance"]),
        account=str(spec.get("apiDatabaseAccount") or API_ACCOUNT),
        in_use=_registered_name(this, CELL0) in known,
        conditions=(API_DATABASE, "MariaDBAccountReady"),
    )
    api_database = await all_of(this, API_DATABASE, "DB create completed", {"nova-api": api})
    logins = {
        cell: partial(
            database.login,
            this,
            f"nova-{cell}",
            instance=str(wanted.template(cell).get("cellDatabaseInstance") or "openstack"),
            account=wanted.database_account(cell),
            in_use=_registered_name(this, cell) in known,
            conditions=(DATABASES, DATABASES),
        )
        for cell in wanted.cells
    }
    databases = await all_of(this, DATABASES, "All DBs created successfully", logins)
    api_bus = {CELL0: partial(_bus, this, "api", spec, API_BUS)}
    buses = await all_of(this, API_BUS, "API message bus created successfully", api_bus)
    others = {cell: partial(_bus, this, cell, wanted.template(cell), BUSES) for cell in wanted.cells if cell != CELL0}
    buses |= await all_of(this, BUSES, "All message buses created successfully", others)
    # Not that it serves: until then there are tables to make.
    identity = await exposure.keystone(this, condition=KEYSTONE, serving=False)
    if not api_database or CELL0 not in databases or CELL0 not in buses:
        raise NotYet(CELLS, "cell0 waits for its database, the API's, or the message bus")
    return Ground(identity, api_database["nova-api"], databases, buses)


async def _bus(this: Round, name: str, spec: Json, condition: str) -> Transport:
    named = spec.get("apiMessageBusInstance" if name == "api" else "cellMessageBusInstance")
    cluster = str((spec.get("messagingBus") or {}).get("cluster") or named or "rabbitmq")
    return await messaging.transport(this, f"{this.name}-{name}-transport", cluster=cluster, condition=condition)


def _registered_name(this: Round, cell: str) -> str:
    """A cell's resource, by whose name `status.registeredCells` tells of it."""
    return f"{this.name}-{cell}"


def _shared(wanted: Wanted, ground: Ground) -> Json:
    """What the specification of every part has."""
    shared = {
        "serviceUser": "nova",
        "serviceAccount": wanted.account,
        "keystoneAuthURL": ground.identity.url,
        "region": ground.identity.region,
        "memcachedInstance": wanted.memcached,
    }
    return {**shared, **({"nodeSelector": wanted.spec["nodeSelector"]} if wanted.spec.get("nodeSelector") else {})}


def _api_login(wanted: Wanted, ground: Ground) -> Json:
    account = str(wanted.spec.get("apiDatabaseAccount") or API_ACCOUNT)
    return {"apiDatabaseHostname": ground.api.host, "apiDatabaseAccount": account}


async def _cell(this: Round, wanted: Wanted, ground: Ground, cell: str) -> Json:
    """The resource of one cell, and the Secret with what it must know."""
    template, name, bus = wanted.template(cell), f"{this.name}-{cell}", ground.buses[cell]
    known = {"ServicePassword": wanted.password, **_bus_data(bus)}
    if (template.get("metadataServiceTemplate") or {}).get("enabled"):
        known["MetadataSecret"] = wanted.metadata_secret
    await this.apply(secret(name, {LABEL: this.name}, known))
    spec = {
        **_shared(wanted, ground),
        "cellName": cell,
        "secret": name,
        "cellDatabaseHostname": ground.databases[cell].host,
        "cellDatabaseAccount": wanted.database_account(cell),
        "preserveJobs": bool(wanted.spec.get("preserveJobs")),
        **(_api_login(wanted, ground) if wanted.reaches_api_database(cell) else {}),
        **{key: template[key] for key in OF_A_CELL if template.get(key)},
    }
    manifest = {"apiVersion": NOVA_CELL.api_version, "kind": NOVA_CELL.kind, "metadata": {"name": name}, "spec": spec}
    return await this.apply(manifest)


def _bus_data(bus: Transport) -> dict[str, str]:
    return {"transport_url": bus.url, "quorum_queues": "true" if bus.quorum_queues else "false"}


async def _mirror_cells(this: Round, wanted: Wanted, ground: Ground, cells: Mapping[str, Json]) -> None:
    """Register the cells with the API, and say of all of them what they say of themselves."""
    registering = {cell: partial(_register, this, wanted, ground, cell, cells.get(cell)) for cell in wanted.cells}
    await all_of(this, CELLS, "All NovaCells are ready", registering)


async def _register(this: Round, wanted: Wanted, ground: Ground, cell: str, live: Json | None) -> None:
    """Map a cell whose tables are there, by the URLs of now; find its compute nodes when new ones were deployed."""
    name = _registered_name(this, cell)
    if live is None:
        raise NotYet(CELLS, "waits for its database or message bus")
    conductor = await this.get(NOVA_CONDUCTOR, f"{name}-conductor")
    if (condition_of(conductor or {}, "DBSyncReady") or {}).get("status") != "True":
        raise NotYet(CELLS, f"NovaCell {name}: {said(live)}")
    facts = Facts(ground.identity, ground.buses[cell], database=ground.databases[cell], api_database=ground.api)
    files, base = config.files(MANAGE, facts), f"{name}-manage"
    await this.apply(secret(f"{base}-config-data", {LABEL: this.name}, files))
    await jobs.scripts(this, base, LABEL)
    runs, keep = _manages(wanted), bool(wanted.spec.get("preserveJobs"))
    urls = hash_of(files)
    mapping = jobs.job(f"{name}-cell-mapping", base, runs, act="register", cell=cell, inputs=urls)
    await run_once(this, CELLS, mapping, what=f"Mapping of {cell}", keep=keep)
    this.status["registeredCells"] = {**(this.status.get("registeredCells") or {}), name: urls}
    deployed = await _deployments(this) if cell != CELL0 else ""
    if deployed:
        # At once what is there by now; the scheduler finds later what comes later.
        found = jobs.job(f"{name}-host-discover", base, runs, act="discover", cell=cell, inputs=deployed)
        await run_once(this, CELLS, found, what=f"Discovery of hosts in {cell}", keep=keep)
        this.status["discoveredCells"] = {**(this.status.get("discoveredCells") or {}), name: deployed}
    if not is_ready(live):
        raise NotYet(CELLS, f"NovaCell {name}: {said(live)}")


def _manages(wanted: Wanted) -> Runs:
    labels = {"service": "nova", "owner": "nova-manage"}
    selector = wanted.spec.get("nodeSelector") or {}
    return Runs(account=wanted.account, labels=labels, uid=NOVA_UID, node_selector=selector)


async def _deployments(this: Round) -> str:
    """A fingerprint of the data plane's deployments that are through and had to do with Nova; empty without any."""
    through = [
        each["metadata"]["uid"]
        for each in await this.list(DATA_PLANE_DEPLOYMENT, {})
        if (each.get("status") or {}).get("deployed")
        and "nova" in ((each.get("spec") or {}).get("servicesOverride") or ("nova",))
    ]
    return hash_of(sorted(through)) if through else ""


async def _serve(this: Round, wanted: Wanted, ground: Ground) -> None:
    """The components that serve all cells."""
    registered: Json = this.status.get("registeredCells") or {}
    names = (API, SCHEDULER, METADATA)
    if await this.get(NOVA_API, f"{this.name}-api") is None:
        # Once they run, a cell that comes later restarts them; that the first ones do not is worth seconds of a boot.
        missing = [cell for cell in wanted.cells if _registered_name(this, cell) not in registered]
        if missing or not this.conditions.is_true(KEYSTONE):
            for each in names:
                this.conditions.waiting(each, f"waits for {', '.join(missing) or 'its user in Keystone'}")
            return
    known = {"ServicePassword": wanted.password, "MetadataSecret": wanted.metadata_secret}
    await this.apply(secret(this.name, {LABEL: this.name}, {**known, **_bus_data(ground.buses[CELL0])}))
    shared = {**_shared(wanted, ground), **_api_login(wanted, ground), "secret": this.name}
    shared["registeredCells"] = registered
    shared["cell0DatabaseHostname"] = ground.databases[CELL0].host
    shared["cell0DatabaseAccount"] = wanted.database_account(CELL0)
    public = {**shared, "keystonePublicAuthURL": ground.identity.public}
    api = service_spec(wanted.spec.get("apiServiceTemplate") or {}, public)
    await child(this, NOVA_API, f"{this.name}-api", api, API, count="apiServiceReadyCount")
    scheduler = service_spec(wanted.spec.get("schedulerServiceTemplate") or {}, shared)
    count = "schedulerServiceReadyCount"
    await child(this, NOVA_SCHEDULER, f"{this.name}-scheduler", scheduler, SCHEDULER, count=count)
    template, name = wanted.spec.get("metadataServiceTemplate") or {}, f"{this.name}-metadata"
    count = "metadataServiceReadyCount"
    if template.get("enabled", True):
        await child(this, NOVA_METADATA, name, service_spec(template, shared), METADATA, count=count)
    else:
        await no_child(this, NOVA_METADATA, name, METADATA, count=count)


async def _remove_cells(this: Round, wanted: Wanted) -> None:
    """Forget the cells that are asked for no more; one that still has compute nodes or servers stays, and says so."""
    for live in await this.list(NOVA_CELL, {}):
        name, cell = live["metadata"]["name"], str(live["spec"]["cellName"])
        if cell in wanted.cells or not this.is_mine(live):
            continue
        base, doomed = f"{name}-manage", f"{name}-cell-delete"
        job = jobs.job(doomed, base, _manages(wanted), act="delete", cell=cell)
        await run_once(this, DELETION, job, what=f"Deletion of {cell}", keep=False)
        await this.kube.delete(JOB, doomed, namespace=this.namespace)
        await this.kube.delete(TRANSPORT_URL, f"{name}-transport", namespace=this.namespace)
        for each in (name, f"{base}-config-data", f"{base}-scripts"):
            await this.kube.delete(SECRET, each, namespace=this.namespace)
        await this.kube.delete(NOVA_CELL, name, namespace=this.namespace, uid=live["metadata"]["uid"])
        for told in ("registeredCells", "discoveredCells"):
            this.status[told] = {key: value for key, value in (this.status.get(told) or {}).items() if key != name}
        # If the cell comes back, all of this is to be done again.
        hashes = (this.status.get("hash") or {}).items()
        this.status["hash"] = {key: value for key, value in hashes if not key.startswith(f"{name}-")}
    this.conditions.true(DELETION, "There is no more NovaCells to delete")


def _passwords(other: Json) -> Iterable[Key]:
    """Secrets with passwords: people's own, and those of databases and buses."""
    owner = controller_of(other)
    if owner is None or owner["kind"] in (MARIADB_ACCOUNT.kind, TRANSPORT_URL.kind):
        yield from everyone(other)


NOVA_CONTROLLER: Final = Controller(
    resource=NOVA,
    reconcile=reconcile,
    conditions=(
        "InputReady",
        "ServiceAccountReady",
        KEYSTONE,
        "MariaDBAccountReady",
        "MemcachedReady",
        API_DATABASE,
        API_BUS,
        DATABASES,
        BUSES,
        CELLS,
        API,
        SCHEDULER,
        METADATA,
        DELETION,
    ),
    owns=(
        JOB,
        KEYSTONE_SERVICE,
        MARIADB_ACCOUNT,
        MARIADB_DATABASE,
        NOVA_API,
        NOVA_CELL,
        NOVA_METADATA,
        NOVA_SCHEDULER,
        SECRET,
        SERVICE_ACCOUNT,
        TRANSPORT_URL,
    ),
    watches=(
        Watch(DATA_PLANE_DEPLOYMENT, everyone),
        Watch(KEYSTONE_API, everyone),
        Watch(MEMCACHED, everyone),
        Watch(NOVA_CONDUCTOR, everyone),
        Watch(SECRET, _passwords),
    ),
)
