"""Every instance of every API, asked for something protected: by pod address, through its Services, and from outside.

A load balancer hides an instance that lets everybody in behind others that don't; so each ready backend of an API's
Services is asked by its own address, from inside the cluster.
"""

from __future__ import annotations

import importlib.resources
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
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
_ENDPOINTS = ("internal", "public", "admin")
_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True)
class _Question:
    subject: str
    service: str
    via: str
    url: str
    with_token: bool


def answers(deployment: Deployment, inventory: Inventory) -> tuple[Observation, ...]:
    """Return ``keystone.answer`` Observations: for each ready instance, Service and public address, two each.

    The value is {url, with_token, status, service, via}; ``via`` is pod, service or public.
    """
    try:
        places = _addresses(deployment, inventory)
        token = deployment.openstack.token().reveal()
    except (Unreachable, NotPermitted) as problem:
        return (_blind(f"cloud/{deployment.target.cloud.name}", problem),)
    questions = [_Question(*place, with_token=given) for place in places for given in (False, True)]
    return (*_from_inside(deployment, inventory, questions, token), *_from_outside(deployment))


def _from_inside(
    deployment: Deployment, inventory: Inventory, questions: list[_Question], token: str
) -> list[Observation]:
    if not questions:
        return []
    source = (importlib.resources.files("seatrial.probes.keystone") / "ask.py").read_text(encoding="utf-8")
    asked = cast("list[Json]", [{"url": q.url, "with_token": q.with_token} for q in questions])
    config: dict[str, Json] = {"token": token, "patience_s": _PATIENCE_S, "questions": asked}
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
        "with_token": question.with_token,
        "service": question.service,
        "via": question.via,
        "status": said.get("status"),
    }
    error = said.get("error")
    if error is not None:
        how = "with" if question.with_token else "without"
        error = f"GET {question.url} {how} a token: {error}"
    return observed("keystone.answer", question.subject, value, asked_at=asked_at, took_s=took_s, error=error)


def _from_outside(deployment: Deployment) -> list[Observation]:
    """Ask Keystone where users are told to find it."""
    cloud = deployment.openstack
    root = cloud.public_url.removesuffix("/v3")

    def ask(*, with_token: bool) -> Json:
        url = root + PROTECTED["keystone"]
        status = cloud.get(url, token=with_token, timeout_s=_PATIENCE_S).status
        return {"url": url, "with_token": with_token, "service": "keystone", "via": "public", "status": status}

    subject = f"cloud/{deployment.target.cloud.name}"
    return [
        look("keystone.answer", subject, lambda: ask(with_token=False)),
        look("keystone.answer", subject, lambda: ask(with_token=True)),
    ]


def _addresses(deployment: Deployment, inventory: Inventory) -> list[tuple[str, str, str, str]]:
    """Return (subject, service, via, url) of everything that answers for an API inside the cluster."""
    schemes = _schemes(deployment)
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


def _schemes(deployment: Deployment) -> dict[tuple[str, int], str]:
    """Return http or https by (Service name, port) and by port alone, as the catalogue's internal endpoints say."""
    found: dict[tuple[str, int], str] = {}
    for entry in deployment.openstack.catalog():
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
