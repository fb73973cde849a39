"""Attaching a pod to secondary networks: what is asked for, where from, and how it is undone.

The annotation and what is written back are those of the Kubernetes network plumbing group's specification 1.3; the
attaching itself is done by the standard CNI plugins. `whereabouts`, which hands out addresses that are unique in the
whole cluster, becomes `host-local` with one folder for all nodes.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seatrial_lab.platform.rest import ApiError, Rest

Json = dict[str, Any]

STATUS = "k8s.v1.cni.cncf.io/network-status"
_SHORT = re.compile(r"(?:(?P<namespace>[a-z0-9.-]+)/)?(?P<name>[a-z0-9.-]+)(?:@(?P<interface>[^/@\s]+))?")
_DEVICE = re.compile(r"[^/:\s]{1,15}")
_ELEMENT = {"name", "namespace", "interface", "ips", "mac"}
_RANGE = {"range", "range_start", "range_end", "exclude", "gateway"}
_WHEREABOUTS = {*_RANGE, "type", "ipRanges", "routes"}
_OF_NO_EFFECT = {"log_file", "log_level", "datastore", "kubernetes", "enable_overlapping_ranges"}


class Refused(Exception):
    """A pod can't be attached as asked; the text is what its event says."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One network that a pod asks for."""

    namespace: str
    name: str
    interface: str
    ips: tuple[str, ...] = ()
    mac: str = ""


def requested(text: str, namespace: str) -> list[Attachment]:
    """Read the annotation: a JSON list, or names separated by commas; ``namespace`` is the pod's own."""
    if text.lstrip().startswith("["):
        try:
            elements = json.loads(text)
        except ValueError as problem:
            raise Refused(f"annotation of networks is no valid JSON: {problem}") from None
    else:
        elements = [_from_short(part.strip()) for part in text.split(",")]
    asked = [_attachment(element, number, namespace) for number, element in enumerate(elements, start=1)]
    names = [one.interface for one in asked]
    if double := {name for name in names if names.count(name) > 1}:
        raise Refused(f"interface asked for more than once: {', '.join(sorted(double))}")
    return asked


def _from_short(text: str) -> Json:
    found = _SHORT.fullmatch(text)
    if found is None:
        raise Refused(f"{text!r} is not of the form [namespace/]name[@interface]")
    return {key: value for key, value in found.groupdict().items() if value}


def _attachment(element: Any, number: int, namespace: str) -> Attachment:
    if not isinstance(element, dict) or not isinstance(element.get("name"), str):
        raise Refused(f"element {number} of the annotation of networks has no name: {element!r}")
    if unknown := set(element) - _ELEMENT:
        known = ", ".join(sorted(_ELEMENT))
        raise Refused(f"network {element['name']}: {', '.join(sorted(unknown))} not supported here; known: {known}")
    interface = element.get("interface") or f"net{number}"
    if not _DEVICE.fullmatch(interface) or interface in ("lo", "eth0"):
        raise Refused(f"network {element['name']}: {interface!r} can't be the name of its interface")
    ips = element.get("ips") or ()
    listed = (ips,) if isinstance(ips, str) else tuple(ips)
    return Attachment(element.get("namespace") or namespace, element["name"], interface, listed, element.get("mac", ""))


def plugins_of(definition: Json, asked: Attachment, leases: str) -> list[Json]:
    """Return the plugin configurations of a NetworkAttachmentDefinition, made ready for one attachment."""
    where = f"NetworkAttachmentDefinition {asked.namespace}/{asked.name}"
    try:
        config = json.loads(definition["spec"]["config"])
        chain = config.get("plugins") or [config]
        plugins = [
            {"cniVersion": config.get("cniVersion", "0.3.1"), "name": config.get("name") or asked.name, **plugin}
            for plugin in chain
        ]
        if not all(isinstance(plugin["type"], str) for plugin in plugins):
            raise TypeError("type is no text")
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise Refused(f"{where}: its config is malformed: {problem!r}") from None
    for plugin in plugins:
        ipam = plugin.get("ipam") or {}
        if ipam.get("type") == "whereabouts":
            try:
                plugin["ipam"] = host_local(ipam, leases)
            except (KeyError, TypeError, ValueError) as problem:
                raise Refused(f"{where}: its ipam is malformed: {problem!r}") from None
            # Addresses are kept by this name: who shares a range must share it.
            plugin["name"] = plugin["ipam"]["ranges"][0][0]["subnet"].replace("/", "-").replace(":", "-")
        elif ipam.get("type") == "host-local":
            ipam.setdefault("dataDir", leases)
        if asked.ips:
            plugin["args"] = {"cni": {"ips": list(asked.ips)}}
        if asked.mac:
            plugin["runtimeConfig"] = {"mac": asked.mac}
    return plugins


def host_local(ipam: Json, leases: str) -> Json:
    """Translate whereabouts' configuration; what it would exclude splits a range into several."""
    if unknown := set(ipam) - _WHEREABOUTS - _OF_NO_EFFECT:
        raise Refused(f"ipam: {', '.join(sorted(unknown))} not supported here")
    ranges = ipam.get("ipRanges") or [ipam]
    everywhere = ipam.get("exclude") or []
    sets = [list(_pieces(one, {*everywhere, *(one.get("exclude") or [])})) for one in ranges]
    for one, pieces in zip(ranges, sets, strict=True):
        if not pieces:
            raise Refused(f"ipam: nothing is left of range {one['range']}")
    return {"type": "host-local", "dataDir": leases, "ranges": sets, "routes": ipam.get("routes") or []}


def _pieces(one: Json, exclude: set[str]) -> Iterator[Json]:
    """Return what is left of one range, without network and broadcast address, in order."""
    first, _, rest = one["range"].rpartition("-")
    net = ipaddress.ip_interface(rest).network
    least, most = int(net.network_address) + 1, int(net.broadcast_address) - (net.version == 4)
    start_at = ipaddress.ip_address(one.get("range_start") or first or net.network_address)
    end_at = ipaddress.ip_address(one.get("range_end") or (rest.partition("/")[0] if first else net.broadcast_address))
    if start_at not in net or end_at not in net:
        raise ValueError(f"{start_at} to {end_at} is not in {net}")
    start, end = max(int(start_at), least), min(int(end_at), most)
    blocks = [ipaddress.ip_network(text, strict=False) for text in exclude]
    for block in sorted(blocks, key=lambda block: int(block.network_address)):
        if start < int(block.network_address):
            yield _piece(one, net, start, min(end, int(block.network_address) - 1))
        start = max(start, int(block.broadcast_address) + 1)
        if start > end:
            return
    if start <= end:
        yield _piece(one, net, start, end)


def _piece(one: Json, net: ipaddress.IPv4Network | ipaddress.IPv6Network, start: int, end: int) -> Json:
    address = type(net.network_address)
    gateway = {"gateway": one["gateway"]} if one.get("gateway") else {}
    return {"subnet": str(net), "rangeStart": str(address(start)), "rangeEnd": str(address(end)), **gateway}


def _definition(rest: Rest, asked: Attachment) -> Json:
    kind = f"namespaces/{asked.namespace}/network-attachment-definitions"
    try:
        return rest.ask("GET", f"/apis/k8s.cni.cncf.io/v1/{kind}/{asked.name}")
    except ApiError as problem:
        if problem.status != http.client.NOT_FOUND:
            raise
        raise Refused(f"there is no NetworkAttachmentDefinition {asked.namespace}/{asked.name}") from None


def _annotate(rest: Rest, pod: dict[str, str], status: list[Json]) -> None:
    """Write a pod's attachments back to it; not to another pod of its name."""
    meta: Json = {"annotations": {STATUS: json.dumps(status, indent=1)}}
    if pod.get("K8S_POD_UID"):
        meta["uid"] = pod["K8S_POD_UID"]
    where = f"/api/v1/namespaces/{pod['K8S_POD_NAMESPACE']}/pods/{pod['K8S_POD_NAME']}/status"
    rest.ask("PATCH", where, {"metadata": meta})


def attach(said: Json, text: str, record: str) -> None:
    """Attach a pod to all that it asks for, or to nothing; what was begun is on record before it is begun."""
    pod = dict(part.split("=", 1) for part in os.environ.get("CNI_ARGS", "").split(";") if "=" in part)
    tls = ssl.create_default_context(cafile=said["ca"])
    tls.load_cert_chain(said["certificate"], said["key"])
    rest = Rest(said["server"], tls)
    asked = requested(text, pod["K8S_POD_NAMESPACE"])
    wanted = [(one, plugins_of(_definition(rest, one), one, said["leases"])) for one in asked]
    begun: list[Json] = []
    status = [_status(said["name"], os.environ["CNI_IFNAME"], said["prevResult"], default=True)]
    try:
        for one, plugins in wanted:
            entry: Json = {"interface": one.interface, "plugins": plugins, "result": None}
            begun.append(entry)
            _note(record, begun)
            for plugin in plugins:
                entry["result"] = _call("ADD", plugin, one.interface, entry["result"])
            status.append(_status(f"{one.namespace}/{one.name}", one.interface, entry["result"]))
        _note(record, begun)
        _annotate(rest, pod, status)
    except Exception:
        with contextlib.suppress(Refused, OSError):  # what does not go now goes with the DEL that follows
            detach(record)
        raise


def _note(record: str, begun: list[Json]) -> None:
    """Write the record in one step: a record cut short could never be undone."""
    written = Path(f"{record}.new")
    written.write_text(json.dumps(begun))
    written.rename(record)


def detach(record: str) -> None:
    """Undo, last first, all that is on record; asks nobody, and can be done again."""
    problems = []
    for entry in reversed(json.loads(Path(record).read_text())):
        for plugin in reversed(entry["plugins"]):
            try:
                _call("DEL", plugin, entry["interface"], entry["result"])
            except Refused as problem:
                problems.append(str(problem))
    if problems:
        raise Refused("; ".join(problems))
    Path(record).unlink(missing_ok=True)


def check(record: str) -> None:
    """Have the plugins look whether all is as they left it, those whose version knows how."""
    for entry in json.loads(Path(record).read_text()):
        for plugin in entry["plugins"]:
            if plugin["cniVersion"] not in ("0.3.0", "0.3.1"):
                _call("CHECK", plugin, entry["interface"], entry["result"])


def _call(command: str, plugin: Json, interface: str, before: Json | None) -> Json | None:
    """Call a plugin as the container runtime calls us, for an interface of its own."""
    program = None if "/" in plugin["type"] else shutil.which(plugin["type"], path=os.environ["CNI_PATH"])
    if program is None:
        raise Refused(f"there is no CNI plugin {plugin['type']!r}")
    text = json.dumps({**plugin, "prevResult": before} if before else plugin)
    environment = {**os.environ, "CNI_COMMAND": command, "CNI_IFNAME": interface}
    done = subprocess.run([program], check=False, capture_output=True, text=True, input=text, env=environment)
    try:
        result: Json | None = json.loads(done.stdout) if done.stdout.strip() else None
    except ValueError:
        raise Refused(f"{plugin['type']} for {interface}: {done.stdout} {done.stderr}") from None
    if done.returncode:
        raise Refused(f"{plugin['type']} for {interface}: {(result or {}).get('msg') or done.stderr.strip()}")
    return result


def _status(name: str, interface: str, result: Json | None, *, default: bool = False) -> Json:
    """Return one entry of the annotation that is written back."""
    found = result or {}
    macs = [i.get("mac") for i in found.get("interfaces") or () if i.get("sandbox") and i["name"] == interface]
    ips = [ip["address"].split("/")[0] for ip in found.get("ips") or ()]
    entry: Json = {"name": name, "interface": interface, "ips": ips, "mac": macs[0] if macs else ""}
    return {**entry, **({"default": True} if default else {}), "dns": found.get("dns") or {}}
