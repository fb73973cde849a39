"""What Glance reads at its start. Everything here is a pure function of what the operator has read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from seatrial_lab.operators.common.database import Login
from seatrial_lab.operators.common.exposure import Identity
from seatrial_lab.operators.common.templates import render_text
from seatrial_lab.operators.common.workloads import HOME as ENVIRONMENT
from seatrial_lab.operators.common.workloads import uwsgi_ini

TEMPLATES: Final = Path(__file__).parent / "templates"
UID: Final = 42415  # kolla's number for glance
PORT: Final = 9292
HOME: Final = "/etc/glance"
DATA: Final = "/var/lib/glance"
PATHS: Final = {
    "glance-api-paste.ini": "glance-api-paste.ini",
    "glance-api.conf": "glance-api.conf",
    "custom.conf": "glance.conf.d/custom.conf",  # read after the former
    "uwsgi.ini": "uwsgi.ini",
}
READS: Final = ["--config-file", f"{HOME}/glance-api.conf", "--config-dir", f"{HOME}/glance.conf.d"]
"""How a program is told of the files that the API finds by itself."""


def files(
    login: Login, identity: Identity, memcached: Sequence[str], *, user: str, password: str, custom: str
) -> dict[str, str]:
    """The files of `/etc/glance`, by name."""
    conf = render_text(
        TEMPLATES,
        "glance-api.conf.j2",
        data=DATA,
        paste=f"{ENVIRONMENT}/etc/glance/glance-api-paste.ini",
        login=login,
        identity=identity,
        user=user,
        password=password,
        memcached=memcached,
    )
    return {
        # Glance of 2023.1 does not start without this file, though it then uses the one that `config_file` names.
        "glance-api-paste.ini": "",
        "glance-api.conf": conf,
        "custom.conf": custom,
        "uwsgi.ini": uwsgi_ini(PORT, "glance-api"),
    }


def keeps_files(custom: str) -> bool:
    """Whether images end up in files on a pod's own volume, where no other pod finds them."""
    said: list[str] = re.findall(r"^\s*enabled_backends\s*[=:](.*)$", custom, flags=re.MULTILINE)
    stores = said[-1].split(",") if said else ["default_backend:file"]
    return any(store.strip().endswith(":file") for store in stores)
