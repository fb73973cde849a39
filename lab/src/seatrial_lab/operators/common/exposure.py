"""The Services of an API, and its entry in Keystone's catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from seatrial_lab.operators.common.conditions import condition_of, is_ready
from seatrial_lab.operators.common.reconciler import NotYet, Round
from seatrial_lab.operators.common.resources import KEYSTONE_API, KEYSTONE_ENDPOINT, KEYSTONE_SERVICE, Json

DNS_NAME: Final = "dnsmasq.network.openstack.org/hostname"
"""By this annotation compute nodes get to know a LoadBalancer's name (rhoso-topology, section 3.2)."""
LOOK_AGAIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Port:
    """Where an API is to be found: the pods, their port, and how its Services are called."""

    service: str
    """The label `service` of the Services, and what their names begin with."""
    number: int
    selector: Mapping[str, str]
    endpoints: tuple[str, ...] = ("internal", "public")
    path: str = ""
    """What comes after the port in the catalogue's URL."""


async def expose(this: Round, port: Port, overrides: Json) -> dict[str, str]:
    """See to the Services `<service>-<endpoint>`, and return each URL; NotYet while one has no address.

    `overrides` is the section `override.service` of the resource: metadata and spec for each endpoint.
    """
    urls = {}
    for endpoint in port.endpoints:
        live = await this.apply(service(this.namespace, port, endpoint, overrides.get(endpoint) or {}))
        host = f"{live['metadata']['name']}.{this.namespace}.svc"
        if live["spec"]["type"] == "LoadBalancer":
            given = ((live.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
            if not given:
                raise NotYet("CreateServiceReady", f"{live['metadata']['name']} has no address yet", look_again_s=2)
            # A public name would need a DNS that those outside use: the address needs none.
            host = str(given[0]["ip"]) if endpoint == "public" else host
        urls[endpoint] = f"http://{host}:{port.number}{port.path}"
    this.conditions.true("CreateServiceReady", "Services exist")
    return urls


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
            "labels": {**(meta.get("labels") or {}), "service": port.service, "endpoint": endpoint},
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


async def keystone(this: Round, *, condition: str = "ServiceConfigReady") -> Identity:
    """Where Keystone answers; NotYet until it has been bootstrapped."""
    apis = await this.list(KEYSTONE_API, {})
    status = (apis[0].get("status") or {}) if apis else {}
    if not apis or (condition_of(apis[0], "BootstrapReady") or {}).get("status") != "True":
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
    """The Secret, and its key, with the password of the service's user, which is called like the service."""
    password_key: str


async def register(this: Round, entry: Entry, urls: Mapping[str, str]) -> None:
    """See to KeystoneService and KeystoneEndpoint, and mirror what they say; NotYet while they are not ready."""
    user = {"serviceUser": entry.name, "secret": entry.secret, "passwordSelector": entry.password_key}
    described = {"serviceType": entry.kind, "serviceName": entry.name, "serviceDescription": entry.description}
    made = [
        await this.apply(
            {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": entry.name}, "spec": spec}
        )
        for kind, spec in (
            (KEYSTONE_SERVICE, {**described, "enabled": True, **user}),
            (KEYSTONE_ENDPOINT, {"serviceName": entry.name, "endpoints": dict(urls)}),
        )
    ]
    for live, condition in zip(made, ("KeystoneServiceReady", "KeystoneEndpointReady"), strict=True):
        if not is_ready(live):
            said = (condition_of(live) or {}).get("message", "not looked at yet")
            raise NotYet(condition, f"{live['kind']} {entry.name}: {said}")
        this.conditions.true(condition, f"{live['kind']} {entry.name} is ready")
