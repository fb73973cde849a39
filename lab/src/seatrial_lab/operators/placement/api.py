"""PlacementAPI: the placement service, with its database, Services and registration. It uses no message bus.

RHOSO's pods have a second container that repeats a log file; here the API logs to its own standard error.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from seatrial_lab.operators.common import exposure, messaging, service, workloads
from seatrial_lab.operators.common.reconciler import Controller, Round, Watch, everyone
from seatrial_lab.operators.common.resources import KEYSTONE_API, MEMCACHED, PLACEMENT_API, SECRET, Json
from seatrial_lab.operators.common.service import ApiService, Wanted
from seatrial_lab.operators.common.templates import render_text
from seatrial_lab.operators.common.workloads import uwsgi_ini

TEMPLATES: Final = Path(__file__).parent / "templates"
HOME: Final = "/etc/placement"
API: Final = "placement-api"
PORT: Final = 8778


def containers() -> list[Json]:
    """What runs in each pod."""
    return [workloads.wsgi(API, PORT, f"{HOME}/uwsgi.ini", "/", {"OS_PLACEMENT_CONFIG_DIR": HOME}, memory="128Mi")]


async def files(this: Round, wanted: Wanted) -> dict[str, str]:
    """The files of `/etc/placement`; NotYet while what they name is not there."""
    caches = await messaging.caches(this, str(this.spec.get("memcachedInstance", "memcached")))
    conf = render_text(
        TEMPLATES,
        "placement.conf.j2",
        login=await service.login(this, PLACEMENT.name),
        memcached=caches,
        identity=await exposure.keystone(this, serving=False),
        user=wanted.entry.user,
        password=wanted.password,
    )
    return {
        "placement.conf": conf,
        "custom.conf": str(this.spec.get("customServiceConfig") or ""),
        "uwsgi.ini": uwsgi_ini(PORT, API),
    }


PLACEMENT: Final = ApiService(
    name="placement",
    type="placement",
    title="Placement Service",
    port=PORT,
    uid=42482,
    password="PlacementPassword",  # noqa: S106 - a key
    sync=[*workloads.program("placement-manage"), "--config-file", f"{HOME}/placement.conf", "db", "sync"],
    files=files,
    containers=containers,
    paths={
        "placement.conf": "placement.conf",
        "custom.conf": "placement.conf.d/custom.conf",  # read after the former
        "uwsgi.ini": "uwsgi.ini",
    },
)
CONTROLLER: Final = Controller(
    resource=PLACEMENT_API,
    reconcile=partial(service.reconcile, service=PLACEMENT),
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
    owns=service.OWNS,
    watches=(Watch(KEYSTONE_API, everyone), Watch(MEMCACHED, everyone), Watch(SECRET, everyone)),
)
