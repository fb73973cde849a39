"""What Keystone reads at its start: configuration, keys, and the clouds.yaml by which others find it.

Everything here is a pure function of what the operator has read; nothing here talks to anybody.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from seatrial_lab.operators.common.database import Login
from seatrial_lab.operators.common.messaging import Transport
from seatrial_lab.operators.common.resources import Json
from seatrial_lab.operators.common.secrets import config_map, secret
from seatrial_lab.operators.common.templates import render_text
from seatrial_lab.operators.common.workloads import uwsgi_ini

TEMPLATES: Final = Path(__file__).parent / "templates"
PORT: Final = 5000
FERNET_KEYS: Final = 3
CREDENTIAL_KEYS: Final = 2


def files(database: Login, memcached: Sequence[str], transport: Transport, custom: str) -> dict[str, str]:
    """The files of `/etc/keystone`, by name."""
    conf = render_text(
        TEMPLATES,
        "keystone.conf.j2",
        database=database,
        memcached=memcached,
        fernet_keys=FERNET_KEYS,
        transport=transport,
    )
    return {
        "keystone.conf": conf,
        "custom.conf": custom,
        "uwsgi.ini": uwsgi_ini(PORT, "keystone-api"),
    }


def new_keys() -> dict[str, str]:
    """Fresh keys for tokens and for credentials, named as RHOSO names them."""
    names = [f"FernetKeys{n}" for n in range(FERNET_KEYS)] + [f"CredentialKeys{n}" for n in range(CREDENTIAL_KEYS)]
    return {name: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() for name in names}


def volumes(name: str, keys: str, config: str) -> list[Json]:
    """One volume with all that Keystone reads: configuration and keys come from different Secrets."""
    tokens = [{"key": f"FernetKeys{n}", "path": f"fernet-keys/{n}"} for n in range(FERNET_KEYS)]
    credentials = [{"key": f"CredentialKeys{n}", "path": f"credential-keys/{n}"} for n in range(CREDENTIAL_KEYS)]
    sources = [{"secret": {"name": config}}, {"secret": {"name": keys, "items": tokens + credentials}}]
    return [{"name": name, "projected": {"defaultMode": 0o440, "sources": sources}}]


def clouds(url: str, *, user: str, project: str, region: str, password: str) -> list[Json]:
    """The ConfigMap and Secret from which clients make their clouds.yaml and secure.yaml; the entry is `default`."""
    auth = {
        "auth_url": f"{url}/v3",
        "username": user,
        "project_name": project,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    cloud = {"clouds": {"default": {"auth": auth, "region_name": region, "identity_api_version": 3}}}
    secure = {"clouds": {"default": {"auth": {"password": password}}}}
    return [
        config_map("openstack-config", {}, {"clouds.yaml": yaml.safe_dump(cloud)}),
        secret("openstack-config-secret", {}, {"secure.yaml": yaml.safe_dump(secure)}),
    ]
