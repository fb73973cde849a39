"""Every instance of every API, asked for something protected: by pod address, through its Services, and from outside.

A load balancer hides an instance that lets everybody in behind others that don't; so each ready backend of an API's
Services is asked by its own address, from inside the cluster. It is shown no token, or one that is made up: a token
that opens something goes to the catalogue's public addresses alone, as those of all users do.
"""

from __future__ import annotations

import importlib.resources
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

from seatrial.clients import in_pod
from seatrial.clients.deployment import Deployment
from seatrial.clients.kube import Kube
from seatrial.clients.looking import look, observed
from seatrial.model.errors import NotPermitted, Unreachable
from seatrial.model.inventory import Inventory, ServiceObject
from seatrial.model.observation import Json, Observation

PROTECTED: Mapping[str, str] = {
    "keystone": "/v3/projects",
    "placement": "/resource_classes",
    "glance": "/v2/images",
    "nova": "/v2.1/servers",
    "neutron": "/v2.0/networks",
    "heat": "/v1/stacks",
    "barbican": "/v1/secrets",
    "octavia": "/v2/lbaas/loadbalancers",
    "designate": "/v2/zones",
}
"""A page of each API that nobody may see without a token (each project's API reference)."""
TYPES: Mapping[str, str] = {
    "identity": "keystone",
    "placement": "placement",
    "image": "glance",
    "compute": "nova",
    "network": "neutron",
    "orchestration": "heat",
    "key-manager": "barbican",
    "load-balancer": "octavia",
    "dns": "designate",
}
"""Which service has which type in the catalogue (service-types authority)."""
NOTHING, MADE_UP, VALID = "nothing", "a made-up token", "a valid token"
"""What somebody who asks may show."""
_ENDPOINTS = ("internal", "public", "admin")
_PATIENCE_S = 10.0
_Catalog = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Question:
    subject: str
    service: str
    via: str
    url: str
    shown: str


def answers(deployment: Deployment, inventory: Inventory) -> tuple[Observation, ...]:
    """Return ``keystone.answer`` Observations: two for each ready instance and Service, and for each public address.

    The value is {url, shown, status, service, via}; ``via`` is pod, service or public; ``shown`` is nothing, or a
    made-up token (to instances and Services), or a valid one (to public addresses, and to nobody else).
    """
    try:
        catalog = deployment.openstack.catalog()
        places = _addresses(deployment, inventory, catalog)
    except (Unreachable, NotPermitted) as problem:
        return (_blind(f"cloud/{deployment.target.cloud.name}", problem),)
    questions = [_Question(*place, shown=shown) for place in places for shown in (NOTHING, MADE_UP)]
    return (*_from_inside(deployment, inventory, questions), *_from_outside(deployment, catalog))


def _from_inside(deployment: Deployment, inventory: Inventory, questions: list[_Question]) -> list[Observation]:
    if not questions:
        return []
    source = (importlib.resources.files("seatrial.probes.keystone") / "ask.py").read_text(encoding="utf-8")
    # Of the shape that Keystone gives, so that it is looked at, and not turned away for its looks.
    made_up = f"gAAAAAB{secrets.token_urlsafe(132)}"
    asked = cast("list[Json]", [{"url": q.url, "token": made_up if q.shown == MADE_UP else None} for q in questions])
    config: dict[str, Json] = {"patience_s": _PATIENCE_S, "questions": asked}
    asked_at, started = datetime.now(UTC), time.monotonic()
    try:
        told = in_pod.run_anywhere(deployment.kube, in_pod.places(inventory), source, config, timeout_s=120)
    except (Unreachable, NotPermitted) as problem:
        return [_blind(subject, problem) for subject in dict.fromkeys(q.subject for q in questions)]
    took = time.monotonic() - started
    return [
        _answer(question, said, asked_at, took)
        for question, said in zip(questions, cast("list[dict[str, Any]]", told), strict=True)
    ]


def _answer(question: _Question, said: Mapping[str, Any], asked_at: datetime, took_s: float) -> Observation:
    value: Json = {
        "url": question.url,
        "shown": question.shown,
        "service": question.service,
        "via": question.via,
        "status": said.get("status"),
    }
    error = said.get("error")
    if error is not None:
        error = f"GET {question.url} with {question.shown}: {error}"
    return observed("keystone.answer", question.subject, value, asked_at=asked_at, took_s=took_s, error=error)


def _from_outside(deployment: Deployment, catalog: _Catalog) -> list[Observation]:
    """Ask each API where users are told to find it, as they do: over the cloud's own client."""
    cloud = deployment.openstack

    def ask(service: str, url: str, shown: str) -> Json:
        status = cloud.get(url, token=shown == VALID, timeout_s=_PATIENCE_S).status
        return {"url": url, "shown": shown, "service": service, "via": "public", "status": status}

    return [
        look("keystone.answer", f"catalog/{kind}", partial(ask, TYPES[kind], page, shown))
        for kind, page in _public(catalog)
        for shown in (NOTHING, VALID)
    ]


def _public(catalog: _Catalog) -> list[tuple[str, str]]:
    """Return (type, protected page) of each public endpoint of an API whose protected page is known."""
    found: dict[tuple[str, str], None] = {}
    for entry in catalog:
        kind = str(entry.get("type", ""))
        for endpoint in entry.get("endpoints") or []:
            if kind in TYPES and endpoint.get("interface") == "public":
                found[kind, protected_page(str(endpoint.get("url", "")), PROTECTED[TYPES[kind]])] = None
    return list(found)


def protected_page(url: str, page: str) -> str:
    """Return where a page is below an endpoint; the endpoint may end in the API's version, or in a project, or not."""
    parts = urlsplit(url)
    version = page.split("/")[1]
    before = parts.path.rstrip("/").split("/")
    root = "/".join(before[: before.index(version)] if version in before else before)
    return f"{parts.scheme}://{parts.netloc}{root}{page}"


def _addresses(deployment: Deployment, inventory: Inventory, catalog: _Catalog) -> list[tuple[str, str, str, str]]:
    """Return (subject, service, via, url) of everything that answers for an API inside the cluster."""
    schemes = _schemes(catalog)
    found: dict[tuple[str, str, str, str], None] = {}
    for service in inventory.services:
        path = PROTECTED.get(service.service)
        if service.labels.get("endpoint") not in _ENDPOINTS or path is None or not service.ports:
            continue
        port = service.ports[0]
        scheme = schemes.get((service.name, port.port)) or schemes.get(("", port.port), "http")
        if service.cluster_ip:
            address = f"{scheme}://{_host(service.cluster_ip)}:{port.port}{path}"
            found[service.subject, service.service, "service", address] = None
        for pod, ip, target in _backends(deployment.kube, service):
            subject = f"pod/{service.namespace}/{pod}"
            found[subject, service.service, "pod", f"{scheme}://{_host(ip)}:{target}{path}"] = None
    return list(found)


def _backends(kube: Kube, service: ServiceObject) -> list[tuple[str, str, int]]:
    """Return name, address and port of each ready pod behind a Service, as the platform routes to it right now."""
    slices = kube.list(
        "EndpointSlice", namespace=service.namespace, labels=f"kubernetes.io/service-name={service.name}"
    )
    return [
        (endpoint["targetRef"]["name"], address, int(piece["ports"][0]["port"]))
        for piece in slices
        if piece.get("ports")
        for endpoint in piece.get("endpoints") or []
        if (endpoint.get("targetRef") or {}).get("kind") == "Pod"
        and (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint["addresses"]
    ]


def _schemes(catalog: _Catalog) -> dict[tuple[str, int], str]:
    """Return http or https by (Service name, port) and by port alone, as the catalogue's internal endpoints say."""
    found: dict[tuple[str, int], str] = {}
    for entry in catalog:
        for endpoint in entry.get("endpoints") or []:
            parts = urlsplit(str(endpoint.get("url", "")))
            if endpoint.get("interface") == "internal" and parts.hostname:
                port = parts.port or (443 if parts.scheme == "https" else 80)
                found[parts.hostname.split(".")[0], port] = parts.scheme
                found["", port] = parts.scheme
    return found


def _host(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


def _blind(subject: str, problem: Exception) -> Observation:
    error = f"{type(problem).__name__}: {problem}"
    return observed("keystone.answer", subject, None, asked_at=datetime.now(UTC), took_s=0.0, error=error)
