"""The Services of an API, and its entry in Keystone's catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from seatrial_lab.operators.common.conditions import condition_of, is_ready, said
from seatrial_lab.operators.common.reconciler import NotYet, Round
from seatrial_lab.operators.common.resources import KEYSTONE_API, KEYSTONE_ENDPOINT, KEYSTONE_SERVICE, Json, Resource

DNS_NAME: Final = "dnsmasq.network.openstack.org/hostname"
"""By this annotation compute nodes get to know a LoadBalancer's name (rhoso-topology, section 3.2)."""


@dataclass(frozen=True, slots=True)
class Port:
    """Where an API is to be found: the pods, their port, and how its Services are called."""

    service: str
    """What the names of the Services begin with, and their label `service`."""
    number: int
    selector: Mapping[str, str]
    endpoints: tuple[str, ...] = ("internal", "public")
    path: str = ""
    """What comes after the port in the catalogue's URL."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of the Services besides, or instead of that."""


async def expose(this: Round, port: Port, overrides: Json) -> dict[str, str]:
    """See to the Services `<service>-<endpoint>`, and return each URL; NotYet while one has no address.

    `overrides` is the section `override.service` of the resource: metadata and spec for each endpoint.
    """
    urls = {}
    for endpoint in port.endpoints:
        live = await this.apply(service(this.namespace, port, endpoint, overrides.get(endpoint) or {}))
        url = url_of(live, port, endpoint)
        if url is None:
            raise NotYet("CreateServiceReady", f"{live['metadata']['name']} has no address yet", look_again_s=2)
        urls[endpoint] = url
    this.conditions.true("CreateServiceReady", "Services exist")
    return urls


def url_of(live: Json, port: Port, endpoint: str) -> str | None:
    """Where a Service is to be found; None while it has no address."""
    host = f"{live['metadata']['name']}.{live['metadata']['namespace']}.svc"
    if live["spec"]["type"] == "LoadBalancer":
        given = ((live.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        if not given:
            return None
        # A public name would need a DNS that those outside use: the address needs none.
        host = str(given[0]["ip"]) if endpoint == "public" else host
    return f"http://{host}:{port.number}{port.path}"


def service(namespace: str, port: Port, endpoint: str, override: Json) -> Json:
    """One Service of an API."""
    meta, name = override.get("metadata") or {}, f"{port.service}-{endpoint}"
    spec = {"type": "ClusterIP", **(override.get("spec") or {})}
    told = {DNS_NAME: f"{name}.{namespace}.svc"} if spec["type"] == "LoadBalancer" else {}
    number = {"name": name, "port": port.number, "targetPort": port.number, "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "labels": {**(meta.get("labels") or {}), "service": port.service, **port.labels, "endpoint": endpoint},
            "annotations": {**told, **(meta.get("annotations") or {})},
        },
        "spec": {**spec, "selector": dict(port.selector), "ports": [number]},
    }


@dataclass(frozen=True, slots=True)
class Identity:
    """How a service finds Keystone, and what it is called there."""

    url: str
    """The internal endpoint, without version."""
    public: str
    region: str


async def keystone(this: Round, *, condition: str = "ServiceConfigReady", serving: bool = True) -> Identity:
    """Where Keystone answers; NotYet until it serves, or else (not `serving`) has addresses."""
    apis = await this.list(KEYSTONE_API, {})
    status = (apis[0].get("status") or {}) if apis else {}
    bootstrapped = bool(apis) and (condition_of(apis[0], "BootstrapReady") or {}).get("status") == "True"
    if not (bootstrapped if serving else status.get("apiEndpoints")):
        raise NotYet(condition, "KeystoneAPI does not serve yet")
    return Identity(status["apiEndpoints"]["internal"], status["apiEndpoints"]["public"], str(status["region"]))


@dataclass(frozen=True, slots=True)
class Entry:
    """A service as Keystone's catalogue has it."""

    name: str
    kind: str
    """`serviceType` in the catalogue: `placement`, `compute`, `network`, `image`."""
    description: str
    secret: str
    """The Secret, and its key, with the password of the service's user."""
    password_key: str
    user: str = ""
    """The user's name, if it is not the service's."""


async def register(this: Round, entry: Entry, urls: Mapping[str, str]) -> None:
    """See to KeystoneService and KeystoneEndpoint, and mirror what they say; NotYet while they are not ready."""
    # Both are asked for before either is waited for.
    made = [await _ask_for_service(this, entry), await _ask_for_endpoint(this, entry.name, urls)]
    for live in made:
        _registered(this, live)


async def register_service(this: Round, entry: Entry) -> None:
    """The same of the KeystoneService alone, where its endpoints are another resource's matter."""
    _registered(this, await _ask_for_service(this, entry))


async def register_endpoint(this: Round, service: str, urls: Mapping[str, str], *, name: str | None = None) -> None:
    """The same of the KeystoneEndpoint alone; it is called like the service, or as `name` says."""
    _registered(this, await _ask_for_endpoint(this, service, urls, name=name))


async def _ask_for_service(this: Round, entry: Entry) -> Json:
    user = {"serviceUser": entry.user or entry.name, "secret": entry.secret, "passwordSelector": entry.password_key}
    described = {"serviceType": entry.kind, "serviceName": entry.name, "serviceDescription": entry.description}
    return await _ask(this, KEYSTONE_SERVICE, entry.name, {**described, "enabled": True, **user})


async def _ask_for_endpoint(this: Round, service: str, urls: Mapping[str, str], name: str | None = None) -> Json:
    return await _ask(this, KEYSTONE_ENDPOINT, name or service, {"serviceName": service, "endpoints": dict(urls)})


async def _ask(this: Round, kind: Resource, name: str, spec: Json) -> Json:
    manifest = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, "spec": spec}
    return await this.apply(manifest)


def _registered(this: Round, live: Json) -> None:
    condition, name = f"{live['kind']}Ready", live["metadata"]["name"]
    if not is_ready(live):
        raise NotYet(condition, f"{live['kind']} {name}: {said(live)}")
    this.conditions.true(condition, f"{live['kind']} {name} is ready")
