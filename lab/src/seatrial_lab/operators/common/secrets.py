"""Secrets and ConfigMaps as operators write and read them."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from seatrial_lab.operators.common.reconciler import NotYet, Round
from seatrial_lab.operators.common.resources import SECRET, Json


def secret(name: str, labels: Mapping[str, str], data: Mapping[str, str]) -> Json:
    """A Secret of plain values."""
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": dict(labels)}, "data": encoded}


def config_map(name: str, labels: Mapping[str, str], data: Mapping[str, str]) -> Json:
    """A ConfigMap of plain values."""
    meta = {"name": name, "labels": dict(labels)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": dict(data)}


def plain(found: Json | None) -> dict[str, str]:
    """The values of a Secret; none if there is no Secret."""
    return {key: base64.b64decode(value).decode() for key, value in ((found or {}).get("data") or {}).items()}


async def required(this: Round, name: str, *keys: str, condition: str = "InputReady") -> dict[str, str]:
    """The values of a Secret that a person or another operator must have made; NotYet names what is missing."""
    values = plain(await this.get(SECRET, name))
    missing = [key for key in keys if not values.get(key)]
    if missing:
        raise NotYet(condition, f"Secret {name} with key {', '.join(missing)} is missing", severity="Warning")
    return values
