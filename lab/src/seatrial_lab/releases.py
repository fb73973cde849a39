"""OpenStack's releases that the lab can run: an entry here, and a lock file of the same name in `lab/openstack/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

NOTE: Final = Path("/opt/lab/openstack/release")
"""Where an environment says which release it is; every container sees it."""


@dataclass(frozen=True, slots=True)
class Release:
    """What differs from one release to another in how its programs are started."""

    name: str
    """As upstream writes it, and the lock file's name."""
    applications: Mapping[str, str]
    """The WSGI application of each API that is served by uwsgi."""
    servers: Mapping[str, str] = field(default_factory=dict)
    """The program of each API that serves itself."""
    beside_neutron: Sequence[str] = ()
    """The programs that do what Neutron's API does not, one container each in its pod."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What the APIs in uwsgi are told besides, in their environment."""


RELEASES: Final[Mapping[str, Release]] = {
    release.name: release
    for release in (
        Release(
            name="2026.2",
            applications={
                "keystone-api": "keystone.wsgi.api:application",
                "placement-api": "placement.wsgi.api:application",
                "glance-api": "glance.wsgi.api:application",
                "nova-api": "nova.wsgi.osapi_compute:application",
                "nova-metadata": "nova.wsgi.metadata:application",
                "neutron-api": "neutron.wsgi.api:application",
            },
            beside_neutron=("neutron-periodic-workers", "neutron-ovn-maintenance-worker"),
        ),
        # Antelope, which RHOSO 18 is made of.
        Release(
            name="2023.1",
            applications={
                "keystone-api": "keystone.server.wsgi:initialize_public_application()",
                "placement-api": "placement.wsgi:init_application()",
                "glance-api": "glance.common.wsgi_app:init_app()",
                "nova-api": "nova.api.openstack.compute.wsgi:init_application()",
                "nova-metadata": "nova.api.metadata.wsgi:init_application()",
            },
            servers={"neutron-api": "neutron-server"},
            # Uwsgi runs threads. With green ones nobody sends the broker heartbeats between two requests, and one on
            # the connection that it then closed was seen to hang for three minutes.
            environment={"OS_NOVA_DISABLE_EVENTLET_PATCHING": "true"},
        ),
    )
}
DEFAULT: Final = RELEASES["2026.2"]


def running() -> Release:
    """Return the release whose environment this container has; outside of one, the default."""
    return RELEASES[NOTE.read_text().strip()] if NOTE.exists() else DEFAULT
