"""A node's network devices: what has to be done with iproute2 for them to be as an nmstate document says.

What a document does not speak of is left alone. IPv4 with static addresses only.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
Command = tuple[str, ...]
"""Arguments of `ip`."""

KINDS = {"linux-bridge": "bridge", "vlan": "vlan"}
"""The types that can be made, as the kernel calls them; others must be there."""


class CannotConfigure(Exception):
    """The devices can't be made as the document says."""


@dataclass(frozen=True, slots=True)
class Devices:
    """What devices and routes a node has, as `ip -json` tells it."""

    links: dict[str, Json]
    routes: tuple[Json, ...]

    @classmethod
    def present(cls) -> Devices:
        """Return those of this network namespace."""
        links = json.loads(_ip("-json", "-details", "address", "show"))
        routes = json.loads(_ip("-json", "-4", "route", "show", "table", "main") or "[]")
        return cls({link["ifname"]: link for link in links}, tuple(routes))


def configure(wanted: Json) -> None:
    """Make the devices be as wanted, and look whether they are; raise CannotConfigure with the reason."""
    for _ in range(2):  # with a first address the kernel removes the others of its range
        for command in changes(wanted, Devices.present()):
            _ip(*command)
    left = changes(wanted, Devices.present())
    if left:
        raise CannotConfigure(f"the kernel did not keep: {'; '.join(' '.join(command) for command in left)}")


def drifted(wanted: Json) -> bool:
    """Tell whether something is not as wanted, or can't be."""
    try:
        return bool(changes(wanted, Devices.present()))
    except CannotConfigure:
        return True


def changes(wanted: Json, devices: Devices) -> list[Command]:
    """Return the commands that lead from the devices there are to those wanted; none when all is well."""
    interfaces = wanted.get("interfaces") or []
    commands = [command for interface in interfaces for command in _existence(interface, devices)]
    for interface in interfaces:
        if interface.get("state", "up") != "absent":
            commands += _settings(interface, devices)
    commands += [
        command for route in (wanted.get("routes") or {}).get("config") or [] for command in _route(route, devices)
    ]
    return commands


def _existence(interface: Json, devices: Devices) -> Iterator[Command]:
    """A device that is wanted and can be made is made; one that is not wanted is removed, or stripped if it can't."""
    name, kind = interface["name"], KINDS.get(interface.get("type", ""))
    link = devices.links.get(name)
    if interface.get("state") == "absent":
        if link is None:
            return
        if link.get("linkinfo", {}).get("info_kind") in KINDS.values():
            yield "link", "del", name
        elif _addresses(link) or "UP" in link["flags"]:
            yield "address", "flush", "dev", name
            yield "link", "set", name, "down"
    elif link is None:
        yield _made(interface, kind)
    elif kind and link.get("linkinfo", {}).get("info_kind") != kind:
        raise CannotConfigure(f"{name} is there already and is no {interface['type']}")


def _made(interface: Json, kind: str | None) -> Command:
    name = interface["name"]
    if kind == "bridge":
        return "link", "add", "name", name, "type", "bridge"
    if kind == "vlan":
        vlan = interface.get("vlan") or {}
        if not vlan:
            raise CannotConfigure(f"{name} is to be a vlan, and its section vlan is missing")
        return "link", "add", "link", vlan["base-iface"], "name", name, "type", "vlan", "id", str(vlan["id"])
    raise CannotConfigure(f"there is no device {name} on this node")


def _settings(interface: Json, devices: Devices) -> Iterator[Command]:
    name = interface["name"]
    link = devices.links.get(name) or {"flags": [], "addr_info": []}
    if "mtu" in interface and link.get("mtu") != interface["mtu"]:
        yield "link", "set", name, "mtu", str(interface["mtu"])
    if "bridge" in interface:
        yield from _bridge(name, interface["bridge"], link, devices)
    up = interface.get("state", "up") == "up"
    if ("UP" in link["flags"]) != up:
        yield "link", "set", name, "up" if up else "down"
    if "ipv4" in interface:
        ipv4 = interface["ipv4"]
        listed = ipv4.get("address") or [] if ipv4.get("enabled") else []
        asked = [f"{address['ip']}/{address['prefix-length']}" for address in listed]
        there = _addresses(link)
        for address in sorted(set(there) - set(asked)):
            yield "address", "del", address, "dev", name
        for address in asked:
            if address not in there:
                yield "address", "add", address, "dev", name


def _bridge(name: str, bridge: Json, link: Json, devices: Devices) -> Iterator[Command]:
    stp = ((bridge.get("options") or {}).get("stp") or {}).get("enabled")
    data = link.get("linkinfo", {}).get("info_data", {})
    if stp is not None and data.get("stp_state", 0) != int(stp):
        yield "link", "set", name, "type", "bridge", "stp_state", str(int(stp))
    if "port" not in bridge:
        return
    asked = [port["name"] for port in bridge["port"]]
    there = [port for port, other in devices.links.items() if other.get("master") == name]
    for port in asked:
        if port not in devices.links:
            raise CannotConfigure(f"{name} is to have the port {port}, and there is no such device on this node")
        if port not in there:
            yield "link", "set", port, "master", name
    for port in there:
        if port not in asked:
            yield "link", "set", port, "nomaster"


def _route(route: Json, devices: Devices) -> Iterator[Command]:
    destination = "default" if route["destination"] == "0.0.0.0/0" else route["destination"]
    way: Command = ("dev", route["next-hop-interface"])
    if "next-hop-address" in route:
        way = ("via", route["next-hop-address"], *way)
    if "metric" in route:
        way = (*way, "metric", str(route["metric"]))
    there = any(
        found["dst"] == destination
        and found.get("dev") == route["next-hop-interface"]
        and found.get("gateway") == route.get("next-hop-address")
        and found.get("metric", 0) == route.get("metric", found.get("metric", 0))
        for found in devices.routes
    )
    if there and route.get("state") == "absent":
        yield "route", "del", destination, *way
    elif not there and route.get("state") != "absent":
        yield "route", "replace", destination, *way


def _addresses(link: Json) -> list[str]:
    return [f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["family"] == "inet"]


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise CannotConfigure(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
