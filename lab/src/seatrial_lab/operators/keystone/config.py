"""What Keystone reads at its start: configuration, keys, and the clouds.yaml by which others find it.

Everything here is a pure function of what the operator has read; nothing here talks to anybody.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import yaml

from seatrial_lab.operators.common.resources import Json
from seatrial_lab.operators.common.templates import render_text

TEMPLATES: Final = Path(__file__).parent / "templates"
HOME: Final = "/opt/lab/openstack"
PORT: Final = 5000
FERNET_KEYS: Final = 3
CREDENTIAL_KEYS: Final = 2

# PyMySQL waits for ever by default. A member of the database that vanished without a word is given up after READ_S;
# that must be more than Galera needs to drop a dead member, as commits on the others stand still until then.
CONNECT_S: Final = 2
READ_S: Final = 6


@dataclass(frozen=True, slots=True)
class Login:
    """Where Keystone's tables are, and as whom to get there."""

    user: str
    host: str
    database: str
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """The URL as SQLAlchemy reads it."""
        bounds = urlencode(
            {"charset": "utf8mb4", "connect_timeout": CONNECT_S, "read_timeout": READ_S, "write_timeout": READ_S}
        )
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        return f"mysql+pymysql://{user}:{password}@{self.host}/{self.database}?{bounds}"


@dataclass(frozen=True, slots=True)
class Transport:
    """The bus for notifications."""

    url: str = field(repr=False)
    quorum_queues: bool


def files(database: Login, memcached: Sequence[str], transport: Transport, custom: str) -> dict[str, str]:
    """The files of `/etc/keystone`, by name."""
    conf = render_text(
        TEMPLATES,
        "keystone.conf.j2",
        connection=_escaped(database.url),
        memcached=memcached,
        fernet_keys=FERNET_KEYS,
        transport_url=_escaped(transport.url),
        quorum_queues=transport.quorum_queues,
    )
    return {
        "keystone.conf": conf,
        "custom.conf": custom,
        "uwsgi.ini": render_text(TEMPLATES, "uwsgi.ini.j2", port=PORT, home=HOME),
    }


def _escaped(value: str) -> str:
    """Keep oslo.config from reading `$` as the start of a reference."""
    return value.replace("$", "$$")


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


def secret(name: str, labels: Mapping[str, str], data: Mapping[str, str]) -> Json:
    """A Secret of plain values."""
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": dict(labels)}, "data": encoded}


def plain(found: Json) -> dict[str, str]:
    """The values of a Secret."""
    return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}


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
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "openstack-config"},
            "data": {"clouds.yaml": yaml.safe_dump(cloud)},
        },
        secret("openstack-config-secret", {}, {"secure.yaml": yaml.safe_dump(secure)}),
    ]
