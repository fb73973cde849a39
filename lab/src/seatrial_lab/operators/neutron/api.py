"""NeutronAPI: the network service on OVN, with its database, bus, Services and registration.

RHOSO's pods run neutron-server behind a second container, `neutron-httpd`. Releases of today have no such server any
more: the API is served by uwsgi, and what was done beside it by processes of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Final

from seatrial_lab import releases
from seatrial_lab.operators.common import exposure, messaging, ovn, service, workloads
from seatrial_lab.operators.common.reconciler import EVERY, Controller, Key, NotYet, Round, Watch, everyone
from seatrial_lab.operators.common.resources import (
    KEYSTONE_API,
    MEMCACHED,
    NEUTRON_API,
    OVN_DB_CLUSTER,
    SECRET,
    SERVICE,
    TRANSPORT_URL,
    Json,
)
from seatrial_lab.operators.common.secrets import secret
from seatrial_lab.operators.common.service import ApiService, Wanted
from seatrial_lab.operators.common.templates import render_text
from seatrial_lab.operators.common.workloads import uwsgi_ini

TEMPLATES: Final = Path(__file__).parent / "templates"
PORT: Final = 9696
HOME: Final = "/etc/neutron"
STATE: Final = "/var/lib/neutron"
CONFIG: Final = [f"--config-file={HOME}/neutron.conf", f"--config-file={HOME}/custom.conf"]
API: Final = "neutron-api"
AGENT_SECRET: Final = "neutron-ovn-metadata-agent-neutron-config"  # noqa: S105 - a name
AGENT_FILE: Final = "10-neutron-metadata.conf"


async def files(this: Round, wanted: Wanted) -> dict[str, str]:
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
    conf = render_text(
        TEMPLATES,
        "neutron.conf.j2",
        login=await service.login(this, NEUTRON.name),
        transport=transport,
        memcached=caches,
        identity=await exposure.keystone(this, serving=False),
        user=wanted.entry.user,
        password=wanted.password,
        home=workloads.HOME,
        northbound=await _inside(this, northbound),
        southbound=await _inside(this, southbound),
    )
    made = {"neutron.conf": conf, "custom.conf": str(spec.get("customServiceConfig") or "")}
    return made if API in releases.running().servers else {**made, "uwsgi.ini": uwsgi_ini(PORT, API)}


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


def containers() -> list[Json]:
    """What runs in each pod: the API, and what its release does beside it."""
    release = releases.running()
    env = {"OS_NEUTRON_CONFIG_DIR": HOME, "OS_NEUTRON_CONFIG_FILES": "neutron.conf;custom.conf"}
    api = workloads.wsgi(API, PORT, f"{HOME}/uwsgi.ini", "/", env, memory="288Mi")
    if server := release.servers.get(API):
        api["command"] = [*workloads.program(server), *CONFIG]
    others = [
        workloads.daemon(name, [*workloads.program(name), *CONFIG], {}, memory="352Mi")
        for name in release.beside_neutron
    ]
    return [api, *others]


NEUTRON: Final = ApiService(
    name="neutron",
    type="network",
    title="Neutron Service",
    port=PORT,
    uid=42435,
    password="NeutronPassword",  # noqa: S106 - a key
    sync=[*workloads.program("neutron-db-manage"), *CONFIG, "upgrade", "heads"],
    files=files,
    containers=containers,
    state=STATE,
)


def _of_a_server(service: Json) -> Iterable[Key]:
    """A Service that one of OVN's databases is reached by wakes everyone; others are none of Neutron's business."""
    labels = service["metadata"].get("labels") or {}
    if labels.get("type") == "cluster" and str(labels.get("service")).startswith("ovsdbserver-"):
        yield service["metadata"]["namespace"], EVERY


CONTROLLER: Final = Controller(
    resource=NEUTRON_API,
    reconcile=partial(service.reconcile, service=NEUTRON),
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
    owns=(*service.OWNS, TRANSPORT_URL),
    watches=(
        Watch(KEYSTONE_API, everyone),
        Watch(MEMCACHED, everyone),
        Watch(OVN_DB_CLUSTER, everyone),
        Watch(SECRET, everyone),
        Watch(SERVICE, _of_a_server),
    ),
)
