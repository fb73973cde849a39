"""Which address of a subnet of a NetConfig is given to whom: rules only, no asking."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from seatrial_lab.operators.common.resources import Json

ANYWHERE: Final = "0.0.0.0/0"


class NoAddress(Exception):
    """No address can be given as asked; the text says why."""


def find(config: Json, network: str, subnet: str) -> tuple[Json, Json]:
    """Return the network and subnet of these names; case makes no difference, as in RHOSO's samples."""
    networks = config["spec"]["networks"]
    found = _named(networks, network)
    if found is None:
        raise NoAddress(f"NetConfig {config['metadata']['name']} has no network {network}; {_known(networks)}")
    part = _named(found["subnets"], subnet)
    if part is None:
        raise NoAddress(f"network {found['name']} has no subnet {subnet}; {_known(found['subnets'])}")
    return found, part


def _named(items: Iterable[Json], name: str) -> Json | None:
    return next((item for item in items if item["name"].lower() == name.lower()), None)


def _known(items: Iterable[Json]) -> str:
    return f"there are: {', '.join(item['name'] for item in items) or 'none'}"


def allocate(subnet: Json, taken: Collection[str], *, fixed: str = "", kept: str = "") -> str:
    """Return an address of a subnet: the fixed one, else the one kept from before, else the first that is free.

    `taken` are those that others hold. Raises NoAddress when the fixed one can't be had or none is left.
    """
    cidr = IPv4Network(subnet["cidr"])
    barred = {str(address) for address in (*subnet.get("excludeAddresses", ()), subnet.get("gateway", ""))} | {*taken}
    if fixed:
        if IPv4Address(fixed) not in cidr:
            raise NoAddress(f"the fixed address {fixed} is not in {cidr}")
        if fixed in barred:
            raise NoAddress(f"the fixed address {fixed} is {'reserved already' if fixed in taken else 'excluded'}")
        return fixed
    if kept and kept not in barred and any(_is_in(kept, ends) for ends in subnet["allocationRanges"]):
        return kept
    for ends in subnet["allocationRanges"]:
        for address in _between(ends, cidr):
            if str(address) not in barred:
                return str(address)
    raise NoAddress(f"subnet {subnet['name']} of {cidr} has no free address left")


def _is_in(address: str, ends: Json) -> bool:
    return IPv4Address(ends["start"]) <= IPv4Address(address) <= IPv4Address(ends["end"])


def _between(ends: Json, cidr: IPv4Network) -> Iterator[IPv4Address]:
    first, last = IPv4Address(ends["start"]), IPv4Address(ends["end"])
    if first not in cidr or last not in cidr:
        raise NoAddress(f"the allocation range {first} to {last} is not in {cidr}")
    return (IPv4Address(number) for number in range(int(first), int(last) + 1))


def reservation(asked: Json, network: Json, subnet: Json, address: str) -> Json:
    """What an IPSet's status tells of one address."""
    routes = list(subnet.get("routes") or ())
    told = {
        "network": network["name"],
        "subnet": subnet["name"],
        "address": address,
        "cidr": subnet["cidr"],
        "dnsDomain": subnet.get("dnsDomain") or network["dnsDomain"],
        "mtu": network.get("mtu", 1500),
    }
    if "vlan" in subnet:
        told["vlan"] = subnet["vlan"]
    if asked.get("defaultRoute") and subnet.get("gateway"):
        told["gateway"] = subnet["gateway"]
        way = {"destination": ANYWHERE, "nexthop": subnet["gateway"]}
        routes += [] if way in routes else [way]
    return {**told, **({"routes": routes} if routes else {})}
