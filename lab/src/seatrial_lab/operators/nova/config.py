"""What Nova's components read at their start; each gets what it needs and no more (rhoso-topology, section 4.5).

Everything here is a pure function of what the operator has read; nothing here talks to anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seatrial_lab.operators.common.database import Login
from seatrial_lab.operators.common.exposure import Identity
from seatrial_lab.operators.common.messaging import Transport
from seatrial_lab.operators.common.templates import render_text
from seatrial_lab.operators.common.workloads import uwsgi_ini

TEMPLATES: Final = Path(__file__).parent / "templates"
COMPUTE: Final = "nova-compute"
MANAGE: Final = "nova-manage"
API_PORT: Final = 8774
METADATA_PORT: Final = 8775
VNC_PORT: Final = 6080

_ALL: Final = ("placement", "glance", "neutron", "cinder")
PARTNERS: Final[Mapping[str, Sequence[str]]] = {
    "nova-api": _ALL,
    "nova-scheduler": ("placement", "neutron"),
    "nova-conductor": _ALL,
    "nova-metadata": ("neutron",),
    "nova-novncproxy": (),
    COMPUTE: _ALL,
    MANAGE: (),
}
"""Whom each component asks over HTTP; it can log in for these, and for no others."""
PORTS: Final = {"nova-api": API_PORT, "nova-metadata": METADATA_PORT}
"""Of the APIs."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a component's configuration is made of."""

    identity: Identity
    transport: Transport
    user: str = "nova"
    password: str = field(default="", repr=False)
    memcached: Sequence[str] = ()
    database: Login | None = None
    """The tables of the component's cell."""
    api_database: Login | None = None
    metadata_secret: str = field(default="", repr=False)
    """What the metadata service and Neutron's agents prove to each other who they are with."""
    vnc_url: str = ""
    per_cell: bool = False
    """Whether a metadata service serves one cell alone."""


def files(service: str, facts: Facts, custom: str = "") -> dict[str, str]:
    """The files of `/etc/nova` of one component, by name; those of RHOSO."""
    conf = render_text(TEMPLATES, "nova.conf.j2", service=service, facts=facts, partners=PARTNERS[service])
    made = {"01-nova.conf": conf}
    if service not in (COMPUTE, MANAGE):
        made["02-nova-override.conf"] = custom
    if service in PORTS:
        made["uwsgi.ini"] = uwsgi_ini(PORTS[service], service)
    return made


def neutron_metadata(url: str, shared: str) -> dict[str, str]:
    """What Neutron's metadata agents need to know of the metadata service, as a file of theirs."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.partition(":")
    values = {"scheme": scheme, "host": host, "port": port, "shared": shared}
    return {"05-nova-metadata.conf": render_text(TEMPLATES, "neutron-metadata.conf.j2", **values)}
