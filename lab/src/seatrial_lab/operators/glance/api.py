"""GlanceAPI: pods that serve images, with their Services and endpoints.

`single` serves both endpoints; `internal` and `external` serve one each, so that users' load is kept off from services.
Images are files on a volume of the pod's own (in RHOSO a declared exception to storage outside Kubernetes): the lab has
no Ceph and no Swift, and a volume can be lost, filled and slowed just as well. Other stores go by customServiceConfig.
"""

from __future__ import annotations

from typing import Final

from seatrial_lab.operators.common import attachments, database, exposure, messaging, workloads
from seatrial_lab.operators.common.exposure import Port
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import Controller, Round, Watch, everyone
from seatrial_lab.operators.common.resources import (
    GLANCE_API,
    KEYSTONE_API,
    KEYSTONE_ENDPOINT,
    MEMCACHED,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    Json,
)
from seatrial_lab.operators.common.secrets import required, secret
from seatrial_lab.operators.common.workloads import Runs, config_volume
from seatrial_lab.operators.glance import config

ENDPOINTS: Final = {"single": ("internal", "public"), "internal": ("internal",), "external": ("public",)}
KEYSTONE_ENDPOINT_HERE: Final = "keystoneEndpoint"
"""The annotation by which a Glance says which of its APIs are in Keystone's catalogue."""


async def reconcile(this: Round) -> None:
    """Bring one API to what its resource asks for."""
    spec = this.spec
    key = str((spec.get("passwordSelectors") or {}).get("service", "GlancePassword"))
    password = (await required(this, str(spec["secret"]), key))[key]
    this.conditions.true("InputReady", "Input data complete")
    runs, replicas = _runs(this), int(spec.get("replicas", 1))
    urls = await _expose(this, runs)
    await attachments.required(this, runs.networks)
    files = await _files(this, password)
    await this.apply(secret(f"{this.name}-config-data", runs.labels, files))
    this.conditions.true("ServiceConfigReady", "Configuration written")
    live = await this.apply(_stateful_set(this, runs, replicas, hash_of(files)))
    workloads.count(this, live)
    await _register(this, urls)
    workloads.deployed(this, live)
    await attachments.attached(this, runs.networks, runs.labels, wanted=replicas)


def stateful_set_name(name: str, kind: str) -> str:
    """How the StatefulSet of a GlanceAPI is called (rhoso-topology, section 3.1)."""
    return name if kind == "single" else f"{name}-api"


def _runs(this: Round) -> Runs:
    spec = this.spec
    volume, mount = config_volume(f"{this.name}-config-data", config.HOME, config.PATHS)
    labels = {"service": "glance", "component": "glance-api", "glanceAPI": this.name, "owner": this.name}
    return Runs(
        account=str(spec["serviceAccount"]),
        labels=labels,
        uid=config.UID,
        image=str(spec.get("containerImage", workloads.IMAGE)),
        node_selector=spec.get("nodeSelector") or {},
        networks=spec.get("networkAttachments") or (),
        volumes=[volume],
        mounts=[mount, {"name": "glance", "mountPath": config.DATA}],
    )


async def _expose(this: Round, runs: Runs) -> dict[str, str]:
    """The Services `<glance>-<api>-<endpoint>`, which both halves of a split API have in common."""
    kind = str(this.spec["apiType"])
    port = Port(
        this.name.removesuffix(f"-{kind}"), config.PORT, runs.labels, ENDPOINTS[kind], labels={"service": "glance"}
    )
    overrides = (this.spec.get("override") or {}).get("service") or {}
    urls = await exposure.expose(this, port, overrides)
    this.status["apiEndpoints"] = urls
    await this.apply(workloads.headless(stateful_set_name(this.name, kind), runs, config.PORT))
    return urls


async def _files(this: Round, password: str) -> dict[str, str]:
    """The files of `/etc/glance`; NotYet while what they name is not there."""
    spec = this.spec
    caches = await messaging.caches(this, str(spec.get("memcachedInstance", "memcached")))
    login = await database.login_of(
        this, str(spec["databaseAccount"]), host=str(spec["databaseHostname"]), database="glance"
    )
    identity = await exposure.keystone(this, serving=False)
    user, custom = str(spec.get("serviceUser", "glance")), str(spec.get("customServiceConfig") or "")
    return config.files(login, identity, caches, user=user, password=password, custom=custom)


def _stateful_set(this: Round, runs: Runs, replicas: int, config_hash: str) -> Json:
    storage = this.spec["storage"]
    httpd = workloads.wsgi(
        "glance-httpd",
        config.PORT,
        f"{config.HOME}/uwsgi.ini",
        "/healthcheck",
        {"OS_GLANCE_CONFIG_DIR": config.HOME},
        memory="160Mi",
    )
    return workloads.workload(
        "StatefulSet",
        stateful_set_name(this.name, str(this.spec["apiType"])),
        runs,
        replicas=replicas,
        config_hash=config_hash,
        containers=[httpd],
        claims=[workloads.claim("glance", storage.get("storageClass"), str(storage.get("storageRequest", "1Gi")))],
    )


async def _register(this: Round, urls: dict[str, str]) -> None:
    """The endpoints in Keystone's catalogue, if they are to be there."""
    if (this.cr["metadata"].get("annotations") or {}).get(KEYSTONE_ENDPOINT_HERE) == "true":
        await exposure.register_endpoint(this, "glance", urls, name=this.name)
    else:
        await this.kube.delete(KEYSTONE_ENDPOINT, this.name, namespace=this.namespace)
        this.conditions.drop("KeystoneEndpointReady")


GLANCE_API_CONTROLLER: Final = Controller(
    resource=GLANCE_API,
    reconcile=reconcile,
    conditions=(
        "InputReady",
        "CreateServiceReady",
        "MemcachedReady",
        "ServiceConfigReady",
        "DeploymentReady",
        "KeystoneEndpointReady",
        "NetworkAttachmentsReady",
    ),
    owns=(KEYSTONE_ENDPOINT, SECRET, SERVICE, STATEFUL_SET),
    watches=(Watch(KEYSTONE_API, everyone), Watch(MEMCACHED, everyone), Watch(SECRET, everyone)),
)
