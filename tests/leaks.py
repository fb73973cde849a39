"""Looking for secrets in everything that a run has left."""

from __future__ import annotations

import base64
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from seatrial.model.known import Known
from tests.conftest import Lab

PUBLIC = frozenset(("openstack", "rabbitmq", "5672", "5671", "true", "false", "/", "default", "default_user", "admin"))
"""What Secrets hold besides secrets."""
CONFIDENTIAL = ("pass", "key", "cookie", "token", "url", "credential", "secret", "conf", "cnf", "erl", "yaml")
"""Parts of the names of keys whose values are secret, or hold secrets."""
CERTIFICATES = ("tls.crt", "ca.crt", "tls-ca-bundle.pem")


def of_lab(lab: Lab) -> dict[str, str]:
    """Every text of every Secret of a lab that is confidential, by where it is."""
    found: dict[str, str] = {}
    for secret in lab.get("secrets", "-A")["items"]:
        for key, encoded in (secret.get("data") or {}).items():
            value = base64.b64decode(encoded).decode(errors="replace").strip()
            named = any(word in key.lower() for word in CONFIDENTIAL) and key not in CERTIFICATES
            if named and len(value) >= 8 and value.lower() not in PUBLIC:
                found[f"{secret['metadata']['namespace']}/{secret['metadata']['name']}/{key}"] = value
    return found


def leaks(places: Iterable[Path], secrets: Mapping[str, str], said: str = "") -> list[str]:
    """Where secrets are: whole, by line, in JSON, URLs and base64, in files below these places and in what was said."""
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file()]
    texts = {str(file): file.read_bytes().decode(errors="replace") for file in files} | {"what it said": said}
    return [
        f"{where} is in {place}"
        for where, secret in secrets.items()
        for form in {secret, *Known([secret]).forms}
        for place, text in texts.items()
        if form in text
    ]


def open_to_others(folder: Path) -> list[str]:
    """What of a run's folder somebody else can read or write."""
    every = [folder, *folder.rglob("*")]
    return [f"{path}: {stat.filemode(path.stat().st_mode)}" for path in every if path.stat().st_mode & 0o077]
