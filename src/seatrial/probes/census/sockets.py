"""What one pod's kernel says about its TCP sockets, and which process holds each; parsing only.

Source of the format: the kernel's Documentation/networking/proc_net_tcp.rst. Addresses are in the byte order of the
machine, in words of 32 bits; every platform that OpenStack services run on is little-endian.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

SCRIPT = r"""
echo '#tcp'; cat /proc/net/tcp
echo '#tcp6'; cat /proc/net/tcp6 2>/dev/null
echo '#route'; cat /proc/net/route
echo '#comm'
for p in /proc/[0-9]*; do IFS= read -r c < "$p/comm" && echo "${p#/proc/} $c"; done 2>/dev/null
echo '#fd'
ls -l /proc/[0-9]*/fd 2>/dev/null | { grep -e '^/proc' -e 'socket:' 2>/dev/null || cat; }
echo '#end'
"""
"""Run by ``sh`` in a container: one exec gives the sockets of the pod and the processes of that container."""


class State(IntEnum):
    """States of a TCP socket that matter here (include/net/tcp_states.h)."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    TIME_WAIT = 6
    CLOSE = 7
    LISTEN = 10
    NEW_SYN_RECV = 12


_NOT_CONNECTED = frozenset({State.SYN_SENT, State.SYN_RECV, State.CLOSE, State.LISTEN, State.NEW_SYN_RECV})
_ROW = re.compile(
    r"\s*\d+:\s+([0-9A-Fa-f]+):([0-9A-Fa-f]{4})\s+([0-9A-Fa-f]+):([0-9A-Fa-f]{4})\s+([0-9A-Fa-f]{2})"
    r"\s+\S+\s+\S+\s+\S+\s+\d+\s+\d+\s+(\d+)"
)
_WORD = re.compile(r"^[0-9A-Fa-f]{8}$")
_FD = re.compile(r"socket:\[(\d+)\]\s*$")
_FD_FOLDER = re.compile(r"^/proc/(\d+)/fd:\s*$")


@dataclass(frozen=True, slots=True, order=True)
class End:
    """One end of a connection."""

    ip: str
    port: int


@dataclass(frozen=True, slots=True)
class Row:
    """One socket."""

    local: End
    remote: End
    state: int
    inode: int

    @property
    def listens(self) -> bool:
        """Tell whether it waits for clients."""
        return self.state == State.LISTEN

    @property
    def connected(self) -> bool:
        """Tell whether it is, or until a moment ago was, a connection that both ends agreed to."""
        return self.state not in _NOT_CONNECTED


@dataclass(frozen=True, slots=True)
class Sample:
    """One look into one container."""

    rows: tuple[Row, ...]
    processes: Mapping[int, str] = field(default_factory=dict)
    """Inode of a socket to the name of the process that holds it."""
    gateways: tuple[str, ...] = ()
    """Where the pod sends what is not for its own network: its node, as pods see it."""
    networks: tuple[str, ...] = ()
    """Networks that the pod is on, as CIDR."""
    malformed: int = 0
    """Lines that could not be understood; more than none means that the pod was not read."""
    complete: bool = False
    """Whether the script reached its end."""


def parse(text: str) -> Sample:
    """Parse the output of ``SCRIPT``; never raises, whatever the text."""
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            current = sections.setdefault(line[1:].strip(), [])
        else:
            current.append(line)
    rows: list[Row] = []
    malformed = 0
    for name in ("tcp", "tcp6"):
        for line in sections.get(name, [])[1:]:
            row = parse_row(line)
            if row is not None:
                rows.append(row)
            elif line.strip():
                malformed += 1
    names = _names(sections.get("comm", []))
    gateways, networks = _routes(sections.get("route", [])[1:])
    return Sample(
        rows=tuple(rows),
        processes=_holders(sections.get("fd", []), names),
        gateways=gateways,
        networks=networks,
        malformed=malformed,
        complete="end" in sections and bool(sections.get("tcp")),
    )


def parse_row(line: str) -> Row | None:
    """Parse one line of ``/proc/net/tcp`` or ``tcp6``, or return None."""
    match = _ROW.match(line)
    if match is None:
        return None
    local_ip, local_port, remote_ip, remote_port, state, inode = match.groups()
    local, remote = address(local_ip), address(remote_ip)
    if local is None or remote is None:
        return None
    return Row(End(local, int(local_port, 16)), End(remote, int(remote_port, 16)), int(state, 16), int(inode))


def address(words: str) -> str | None:
    """Return an address from its hexadecimal words; an IPv4 address mapped into IPv6 as IPv4."""
    if len(words) not in (8, 32):
        return None
    raw = bytes.fromhex(words)
    packed = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    ip = ipaddress.ip_address(packed)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)


def _routes(lines: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the gateways and the connected networks of a routing table (``/proc/net/route``, IPv4)."""
    gateways: dict[str, None] = {}
    networks: dict[str, None] = {}
    for line in lines:
        fields = line.split()
        if len(fields) < 8 or not all(_WORD.match(fields[at]) for at in (1, 2, 7)):
            continue
        destination, gateway, mask = (address(fields[at]) for at in (1, 2, 7))
        if gateway is not None and not is_any(gateway):
            gateways[gateway] = None
        elif destination is not None and mask is not None and not is_any(destination):
            try:
                networks[str(ipaddress.ip_network(f"{destination}/{mask}"))] = None
            except ValueError:
                continue
    return tuple(gateways), tuple(networks)


def is_loopback(ip: str) -> bool:
    """Tell whether an address never leaves its pod."""
    return ipaddress.ip_address(ip).is_loopback


def is_any(ip: str) -> bool:
    """Tell whether an address stands for all addresses of the pod."""
    return ipaddress.ip_address(ip).is_unspecified


def _names(lines: list[str]) -> dict[str, str]:
    pairs = (line.split(" ", 1) for line in lines)
    return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2 and pair[0].isdigit()}


def _holders(lines: list[str], names: Mapping[str, str]) -> dict[int, str]:
    holders: dict[int, str] = {}
    pid = ""
    for line in lines:
        folder = _FD_FOLDER.match(line)
        if folder:
            pid = folder.group(1)
            continue
        held = _FD.search(line)
        if held and pid in names:
            # A listening socket is shared by a parent and its workers; whichever comes first has the same name.
            holders.setdefault(int(held.group(1)), names[pid])
    return holders
