"""Whether the cloud that is asked is the one that the platform runs: two files that a person wrote may not agree.

What counts is what no other deployment can have. The name ``keystone-internal.openstack.svc`` is no proof: every
deployment calls its Service so.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from seatrial.clients.deployment import Deployment
from seatrial.clients.kube import Kube, Manifest
from seatrial.model.errors import NotPermitted

_IDENTITY = "identity"
_ROUTE = "Route.route.openshift.io"
_SERVICE_NAMES = (".svc", ".svc.cluster.local")


@dataclass(frozen=True, slots=True)
class Belonging:
    """Whether cloud and platform were shown to be one deployment, and what shows it or is missing."""

    shown: bool
    how: str


def belonging(deployment: Deployment) -> Belonging:
    """Compare the cloud's catalogue with what the platform says of itself.

    First the ids that Keystone gave to services, which the operators keep in their KeystoneServices: where there are
    any, they decide. Else the addresses of the catalogue's identity endpoints have to be those of a Service or Route in
    the control plane's namespace; names are resolved by this machine. Raises NotPermitted or Unreachable when cloud or
    platform can't be asked.
    """
    namespace = deployment.target.namespaces.control_plane
    catalog = deployment.openstack.catalog()
    known = _registered(deployment.kube, namespace)
    if known:
        common = sorted(known[entry["id"]] for entry in catalog if entry.get("id") in known)
        if common:
            return Belonging(
                shown=True, how=f"the catalogue has the service that KeystoneService {common[0]} registered"
            )
        return Belonging(
            shown=False, how=f"the catalogue has none of the services that {namespace}'s KeystoneServices registered"
        )
    hosts = sorted(set(_hosts(catalog)))
    addresses = _addresses(deployment.kube, namespace)
    for host in hosts:
        for address in (host, *_resolved(host)):
            if address in addresses:
                return Belonging(shown=True, how=f"{host} is an address of {addresses[address]}")
    asked = ", ".join(hosts) or "none that is not the same on every platform"
    return Belonging(
        shown=False,
        how=f"the catalogue's identity endpoint ({asked}) is no address of a Service or Route in {namespace}",
    )


def _registered(kube: Kube, namespace: str) -> dict[str, str]:
    """Return the names of KeystoneServices by the ids that Keystone gave them."""
    if not any(kind.name == "KeystoneService" for kind in kube.kinds()):
        return {}
    found: dict[str, str] = {}
    for manifest in _if_permitted(kube, "KeystoneService", namespace):
        identity = (manifest.get("status") or {}).get("serviceID")
        if identity:
            found[str(identity)] = str(manifest["metadata"]["name"])
    return found


def _hosts(catalog: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the hosts of the identity endpoints that users are given, but for names that every platform has."""
    for entry in catalog:
        for endpoint in entry.get("endpoints") or [] if entry.get("type") == _IDENTITY else []:
            host = urlsplit(str(endpoint.get("url", ""))).hostname
            if host and endpoint.get("interface") != "admin" and not host.endswith(_SERVICE_NAMES):
                yield host


def _addresses(kube: Kube, namespace: str) -> dict[str, str]:
    """Return what has each address and name in a namespace."""
    found: dict[str, str] = {}
    for service in kube.list("Service", namespace=namespace):
        for address in _of_service(service):
            found[_plain(address)] = f"Service {service['metadata']['name']}"
    if any(kind.name == "Route" for kind in kube.kinds()):
        for route in _if_permitted(kube, _ROUTE, namespace):
            host = (route.get("spec") or {}).get("host")
            if host:
                found[str(host)] = f"Route {route['metadata']['name']}"
    return found


def _of_service(service: Manifest) -> Iterator[str]:
    spec = service.get("spec") or {}
    own = [*(spec.get("clusterIPs") or []), spec.get("clusterIP")]
    yield from (address for address in own if address and address != "None")
    yield from spec.get("externalIPs") or []
    for entry in ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []:
        yield from (entry[key] for key in ("ip", "hostname") if entry.get(key))


def _if_permitted(kube: Kube, kind: str, namespace: str) -> Iterable[Manifest]:
    """Return objects of one of the kinds that can show it; another one may where this account may not read it."""
    try:
        return kube.list(kind, namespace=namespace)
    except NotPermitted:
        return ()


def _resolved(host: str) -> Iterator[str]:
    try:
        yield from dict.fromkeys(_plain(str(entry[4][0])) for entry in socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return


def _plain(address: str) -> str:
    """Return an address as everybody writes it; a name stays as it is."""
    try:
        return str(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return address
