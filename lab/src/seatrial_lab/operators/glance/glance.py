"""Glance: the image service as a whole, with its database and its entry in Keystone; its GlanceAPIs serve it.

RHOSO's job that purges the database now and then is left out, as are notifications.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seatrial_lab.operators.common import database, exposure, messaging, workloads
from seatrial_lab.operators.common.conditions import is_ready, said
from seatrial_lab.operators.common.exposure import Entry
from seatrial_lab.operators.common.jobs import run_once
from seatrial_lab.operators.common.reconciler import Controller, NotYet, Round, Watch, everyone
from seatrial_lab.operators.common.resources import (
    GLANCE,
    GLANCE_API,
    JOB,
    KEYSTONE_API,
    KEYSTONE_SERVICE,
    MARIADB_ACCOUNT,
    MARIADB_DATABASE,
    MEMCACHED,
    SECRET,
    SERVICE_ACCOUNT,
    Json,
)
from seatrial_lab.operators.common.secrets import required, secret
from seatrial_lab.operators.common.workloads import Runs, config_volume
from seatrial_lab.operators.glance import config
from seatrial_lab.operators.glance.api import KEYSTONE_ENDPOINT_HERE

TYPES: Final = {"single": ("single",), "split": ("internal", "external")}
PASSED_ON: Final = (
    "secret",
    "passwordSelectors",
    "serviceUser",
    "memcachedInstance",
    "containerImage",
    "storage",
    "nodeSelector",
)
"""What all APIs take over as it is, unless their own section says otherwise."""
OF_AN_API: Final = ("replicas", "networkAttachments", "nodeSelector", "override")


@dataclass(frozen=True, slots=True)
class Part:
    """One GlanceAPI that a Glance asks for."""

    name: str
    registered: bool
    spec: Json


def parts_of(name: str, spec: Json) -> list[Part]:
    """The GlanceAPIs that a Glance stands for: `<glance>-<api>-<type>`."""
    parts: list[Part] = []
    for api, template in (spec.get("glanceAPIs") or {}).items():
        both = (spec.get("customServiceConfig"), template.get("customServiceConfig"))
        filled: Json = {
            **{key: spec[key] for key in PASSED_ON if key in spec},
            **{key: template[key] for key in OF_AN_API if key in template},
            "customServiceConfig": "\n".join(text for text in both if text),
            "databaseAccount": spec.get("databaseAccount", "glance"),
            "serviceAccount": f"glance-{name}",
        }
        registered = api == spec.get("keystoneEndpoint", "default")
        kinds = TYPES[template.get("type", "split")]
        parts += [Part(f"{name}-{api}-{kind}", registered, {**filled, "apiType": kind}) for kind in kinds]
    return parts


def misfit(spec: Json) -> str | None:
    """What is wrong with a specification that its schema lets pass, if anything."""
    apis = spec.get("glanceAPIs") or {}
    registered = spec.get("keystoneEndpoint", "default")
    if registered not in apis:
        return f"keystoneEndpoint {registered} is none of glanceAPIs: {', '.join(sorted(apis)) or 'there are none'}"
    for name, api in apis.items():
        custom = f"{spec.get('customServiceConfig') or ''}\n{api.get('customServiceConfig') or ''}"
        alone = api.get("type", "split") == "single" and int(api.get("replicas", 1)) <= 1
        if config.keeps_files(custom) and not alone:
            return f"glanceAPIs.{name}: a store of files is for one pod: type single, replicas 1"
    return None


async def reconcile(this: Round) -> None:
    """Bring the image service to what its resource asks for."""
    spec = this.spec
    key = str((spec.get("passwordSelectors") or {}).get("service", "GlancePassword"))
    password = (await required(this, str(spec["secret"]), key))[key]
    if wrong := misfit(spec):
        raise NotYet("InputReady", wrong, severity="Warning")
    this.conditions.true("InputReady", "Input data complete")
    runs = _runs(this)
    await workloads.account(this, runs)
    entry = Entry("glance", "image", "Glance Service", str(spec["secret"]), key, str(spec.get("serviceUser", "glance")))
    files = await _files(this, entry.user, password)
    await this.apply(secret(f"{this.name}-config-data", runs.labels, files))
    this.conditions.true("ServiceConfigReady", "Configuration written")
    command = [*workloads.program("glance-manage"), *config.READS, "db_sync"]
    sync = workloads.job(f"{this.name}-db-sync", runs, command, what="db-sync")
    await run_once(this, "DBSyncReady", sync, what="DBsync", keep=bool(spec.get("preserveJobs")))
    live = await _apis(this)
    await exposure.register_service(this, entry)
    _mirror(this, live)


def _runs(this: Round) -> Runs:
    volume, mount = config_volume(f"{this.name}-config-data", config.HOME, config.PATHS)
    return Runs(
        account=f"glance-{this.name}",
        labels={"service": "glance", "owner": this.name},
        uid=config.UID,
        image=str(this.spec.get("containerImage", workloads.IMAGE)),
        node_selector=this.spec.get("nodeSelector") or {},
        volumes=[volume],
        mounts=[mount],
    )


async def _files(this: Round, user: str, password: str) -> dict[str, str]:
    """The files of `/etc/glance` for the Job; NotYet while what they name is not there."""
    spec = this.spec
    this.status["databaseHostname"] = f"{spec['databaseInstance']}.{this.namespace}.svc"
    caches = await messaging.caches(this, str(spec.get("memcachedInstance", "memcached")))
    login = await database.login(
        this,
        "glance",
        instance=str(spec["databaseInstance"]),
        account=spec.get("databaseAccount"),
        in_use=f"{this.name}-db-sync" in (this.status.get("hash") or {}),
    )
    identity = await exposure.keystone(this, serving=False)
    custom = str(spec.get("customServiceConfig") or "")
    return config.files(login, identity, caches, user=user, password=password, custom=custom)


async def _apis(this: Round) -> list[Json]:
    """Make the GlanceAPIs, and remove those no longer asked for."""
    parts = parts_of(this.name, this.spec)
    await this.prune(GLANCE_API, {part.name for part in parts})
    host = this.status["databaseHostname"]
    return await this.apply_all(
        {
            "apiVersion": GLANCE_API.api_version,
            "kind": GLANCE_API.kind,
            "metadata": {
                "name": part.name,
                "labels": {"service": "glance", "owner": this.name},
                "annotations": {KEYSTONE_ENDPOINT_HERE: str(part.registered).lower()},
            },
            "spec": {**part.spec, "databaseHostname": host},
        }
        for part in parts
    )


def _mirror(this: Round, apis: list[Json]) -> None:
    """Say of the service what its APIs say of themselves."""
    states = {api["metadata"]["name"]: api.get("status") or {} for api in apis}
    this.status["glanceAPIReadyCounts"] = {name: status.get("readyCount", 0) for name, status in states.items()}
    this.status["apiEndpoint"] = {
        endpoint: url
        for api in apis
        if api["metadata"]["annotations"][KEYSTONE_ENDPOINT_HERE] == "true"
        for endpoint, url in (states[api["metadata"]["name"]].get("apiEndpoints") or {}).items()
    }
    waits = [f"{api['metadata']['name']}: {said(api)}" for api in apis if not is_ready(api)]
    if waits:
        raise NotYet("GlanceAPIReady", "; ".join(waits))
    this.conditions.true("GlanceAPIReady", f"{len(apis)} GlanceAPIs are ready")


GLANCE_CONTROLLER: Final = Controller(
    resource=GLANCE,
    reconcile=reconcile,
    conditions=(
        "InputReady",
        "ServiceAccountReady",
        "MemcachedReady",
        "DBReady",
        "MariaDBAccountReady",
        "ServiceConfigReady",
        "DBSyncReady",
        "KeystoneServiceReady",
        "GlanceAPIReady",
    ),
    owns=(GLANCE_API, JOB, KEYSTONE_SERVICE, MARIADB_ACCOUNT, MARIADB_DATABASE, SECRET, SERVICE_ACCOUNT),
    watches=(Watch(KEYSTONE_API, everyone), Watch(MEMCACHED, everyone), Watch(SECRET, everyone)),
)
