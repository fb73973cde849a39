"""NovaCell: the components of one cell, and what its compute nodes have to know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seatrial_lab.operators.common.exposure import url_of
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import EVERY, Controller, Key, NotYet, Round, Watch
from seatrial_lab.operators.common.resources import (
    NOVA_CELL,
    NOVA_CONDUCTOR,
    NOVA_METADATA,
    NOVA_NO_VNC_PROXY,
    SECRET,
    SERVICE,
    Json,
)
from seatrial_lab.operators.common.secrets import required, secret
from seatrial_lab.operators.nova import config
from seatrial_lab.operators.nova.children import child, no_child, service_spec
from seatrial_lab.operators.nova.config import COMPUTE, Facts
from seatrial_lab.operators.nova.services import identity_of, transport_of, vnc_port

CONDUCTOR, METADATA, VNC = "NovaConductorReady", "NovaMetadataReady", "NovaNoVNCProxyReady"
COMPUTES: Final = "NovaComputeServiceConfigReady"
CELL0: Final = "cell0"
INHERITED: Final[tuple[str, ...]] = (
    "cellName",
    "secret",
    "serviceUser",
    "serviceAccount",
    "keystoneAuthURL",
    "region",
    "memcachedInstance",
    "cellDatabaseHostname",
    "cellDatabaseAccount",
    "apiDatabaseHostname",
    "apiDatabaseAccount",
    "nodeSelector",
)


async def reconcile(this: Round) -> None:
    """One round for one cell."""
    spec = this.spec
    cell = str(spec["cellName"])
    known = await required(this, str(spec["secret"]), "ServicePassword", "transport_url")
    this.conditions.true("InputReady", "Input data complete")
    inherited: Json = {key: spec[key] for key in INHERITED if key in spec}
    conductor = service_spec(spec.get("conductorServiceTemplate") or {}, inherited)
    conductor["preserveJobs"] = bool(spec.get("preserveJobs"))
    name, count = f"{this.name}-conductor", "conductorServiceReadyCount"
    await child(this, NOVA_CONDUCTOR, name, conductor, CONDUCTOR, count=count)
    metadata = spec.get("metadataServiceTemplate") or {}
    name, count = f"{this.name}-metadata", "metadataServiceReadyCount"
    if metadata.get("enabled", False):
        await child(this, NOVA_METADATA, name, service_spec(metadata, inherited), METADATA, count=count)
    else:
        await no_child(this, NOVA_METADATA, name, METADATA, count=count)
    consoles = has_consoles(spec)
    name, count = f"{this.name}-novncproxy", "noVNCProxyServiceReadyCount"
    if consoles:
        proxy = service_spec(spec.get("noVNCProxyServiceTemplate") or {}, _without_api(inherited))
        await child(this, NOVA_NO_VNC_PROXY, name, proxy, VNC, count=count)
    else:
        await no_child(this, NOVA_NO_VNC_PROXY, name, VNC, count=count)
    if cell == CELL0:  # its servers never came to be on any compute node
        this.conditions.drop(COMPUTES)
        return
    await _tell_computes(this, known, await _vnc_url(this, cell) if consoles else "")


def has_consoles(spec: Json) -> bool:
    """Whether a cell has a noVNC proxy: by default all but cell0."""
    asked = (spec.get("noVNCProxyServiceTemplate") or {}).get("enabled")
    return spec["cellName"] != CELL0 if asked is None else bool(asked)


def _without_api(inherited: Json) -> Json:
    return {key: value for key, value in inherited.items() if not key.startswith("apiDatabase")}


async def _vnc_url(this: Round, cell: str) -> str:
    port = vnc_port(cell)
    live = await this.get(SERVICE, f"{port.service}-public")
    url = url_of(live, port, "public") if live else None
    if url is None:
        raise NotYet(COMPUTES, f"Service {port.service}-public has no address yet")
    return url


async def _tell_computes(this: Round, known: dict[str, str], vnc_url: str) -> None:
    """The Secret that the data plane puts on compute nodes: the way to the cell's bus and to APIs, to no database."""
    facts = Facts(
        identity=identity_of(this.spec),
        transport=transport_of(known),
        user=str(this.spec["serviceUser"]),
        password=known["ServicePassword"],
        vnc_url=vnc_url,
    )
    name, files = f"{this.name}-compute-config", config.files(COMPUTE, facts)
    await this.apply(secret(name, {"nova-cell.openstack.org/name": this.name}, files))
    this.status["hash"] = {name: hash_of(files)}
    this.conditions.true(COMPUTES, "Service config create completed")


def _of_nova(other: Json) -> Iterable[Key]:
    if "nova.openstack.org/name" in (other["metadata"].get("labels") or {}):
        yield other["metadata"]["namespace"], EVERY


def _of_consoles(other: Json) -> Iterable[Key]:
    if (other["metadata"].get("labels") or {}).get("service") == "nova-novncproxy":
        yield other["metadata"]["namespace"], EVERY


NOVA_CELL_CONTROLLER: Final = Controller(
    resource=NOVA_CELL,
    reconcile=reconcile,
    conditions=("InputReady", CONDUCTOR, METADATA, VNC, COMPUTES),
    owns=(NOVA_CONDUCTOR, NOVA_METADATA, NOVA_NO_VNC_PROXY, SECRET),
    watches=(Watch(SECRET, _of_nova), Watch(SERVICE, _of_consoles)),
)
