"""Speaks to listeners until they show their protocol. This file travels into a pod and runs there by itself.

Standard library only, Python 3.9 and later. Given ``CONFIG = {"ends": [[ip, port], ...], "patience_s": ...}`` it
prints one JSON object: what each end said. It never authenticates and never asks for data. It calls from ports that
Linux gives to nobody by itself, so that this census and the next ones know the harness's calls from a pod's own.
"""

from __future__ import annotations

import concurrent.futures
import errno
import itertools
import json
import os
import random
import socket
import ssl
import struct
from typing import Any

HTTP = b"GET / HTTP/1.0\r\nHost: census\r\nUser-Agent: seatrial-census\r\nConnection: close\r\n\r\n"
# Abilities that current Erlang releases demand of a peer before they answer it (OTP, "Distribution Protocol"):
# extended references, pids and funs, floats, UTF-8 atoms, maps, big creation, handshake of OTP 23, unlink ids, V4_NC.
ERLANG_FLAGS = 0x4 | 0x10 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800 | 0x70000 | 0x1000000 | 0x2000000 | 0x400000000


CALLS_FROM = range(61000, 65000)
"""Local ports of all calls: above those that Linux hands out (``ip_local_port_range``, as it comes)."""
SHORT_S = 1.0
"""Patience with one question; most servers answer at once or never."""


class Caller:
    """Opens connections, each from the next of the harness's own ports."""

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self.short_s = min(SHORT_S, patience_s)
        # Not always the first ones: a server may remember a call of the census before.
        self._ports = itertools.cycle(random.sample(CALLS_FROM, len(CALLS_FROM)))

    def connect(self, ip: str, port: int) -> socket.socket:
        """Return a connected socket."""
        connection = self._from_own_port(ip, port)
        # Closed by a reset, a connection leaves no TIME_WAIT at either end, in nearly all cases.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return connection

    def _from_own_port(self, ip: str, port: int) -> socket.socket:
        for own in itertools.islice(self._ports, 20):
            try:
                return socket.create_connection((ip, port), timeout=self.patience_s, source_address=("", own))
            except OSError as refusal:
                if refusal.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL):
                    raise
        raise OSError(errno.EADDRINUSE, "none of the harness's own ports is free")

    def ask(self, ip: str, port: int, question: bytes, wait_s: float | None = None) -> bytes:
        """Return what comes back for one question on a fresh connection."""
        with self.connect(ip, port) as connection:
            connection.sendall(question)
            return hear(connection, self.short_s if wait_s is None else wait_s)


def hear(connection: socket.socket, patience_s: float) -> bytes:
    """Return the first bytes that come within the patience, or none."""
    connection.settimeout(patience_s)
    try:
        return connection.recv(4096)
    except OSError:
        return b""


def identify(caller: Caller, ip: str, port: int) -> tuple[str, str]:
    """Return (protocol, proof) of one listener."""
    with caller.connect(ip, port) as connection:
        greeting = hear(connection, min(0.4, caller.patience_s))
        if greeting:
            return greeted(connection, greeting, caller.short_s)
        try:
            connection.sendall(HTTP)
            answer = hear(connection, caller.short_s)
        except OSError:
            answer = b""
    protocol, proof = answered(answer)
    # Many web servers answer 400 in plain text to whoever forgets that they want TLS.
    if protocol and not proof.startswith(("HTTP/1.1 400", "HTTP/1.0 400")):
        return protocol, proof
    for method in (tls, memcached, epmd, erlang):
        try:
            found = method(caller, ip, port)
        except OSError:
            found = None
        if found:
            return found
    if not answer:
        # Nobody known. A web server may have to think; it is given more time than all others.
        answer = caller.ask(ip, port, HTTP, caller.patience_s)
        protocol, proof = answered(answer)
    return (protocol, proof) if protocol else ("unknown", "accepts connections, answers " + shown(answer))


def greeted(connection: socket.socket, greeting: bytes, patience_s: float) -> tuple[str, str]:
    """Return the protocol of a server that speaks first."""
    payload = greeting[4:]
    if len(greeting) > 4 and int.from_bytes(greeting[:3], "little") == len(payload) and greeting[3] == 0:
        if payload[0] == 10:
            proof = "greeting of " + payload[1:].split(b"\0")[0].decode("ascii", "replace")
            decline(connection, patience_s)
            return "mysql", proof
        if payload[0] == 255:
            return "mysql", "refusal " + str(int.from_bytes(payload[1:3], "little"))
    # Galera's group communication greets with a handshake: length and checksum, then version, type 1.
    if (
        len(greeting) >= 10
        and struct.unpack("<I", greeting[:4])[0] & 0xFFFFFF == len(greeting) - 8
        and greeting[9] == 1
    ):
        return "galera", "gcomm handshake of " + str(len(greeting)) + " bytes"
    return "unknown", "greets with " + shown(greeting)


def decline(connection: socket.socket, patience_s: float) -> None:
    """End a MySQL handshake properly, as nobody: a server blocks hosts that break off too many of them."""
    body = struct.pack("<IIB23x", 0x8200, 1 << 24, 33) + b"seatrial-census\0\0"
    try:
        connection.sendall(len(body).to_bytes(3, "little") + b"\x01" + body)
        answer = hear(connection, patience_s)
        if answer[4:5] == b"\xfe":
            connection.sendall(b"\0\0\0" + bytes([(answer[3] + 1) & 255]))
            hear(connection, patience_s)
    except OSError:
        pass


def answered(answer: bytes) -> tuple[str, str]:
    """Return the protocol that an answer to an HTTP request shows."""
    if answer.startswith(b"HTTP/"):
        return "http", answer.split(b"\r\n")[0].decode("ascii", "replace")[:60]
    if answer.startswith(b"AMQP") and len(answer) >= 8:
        return "amqp", "header AMQP " + ".".join(str(byte) for byte in answer[4:8])
    return "", ""


def tls(caller: Caller, ip: str, port: int) -> tuple[str, str] | None:
    """Say hello in TLS, and HTTP inside it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with caller.connect(ip, port) as plain:
        plain.settimeout(caller.short_s)
        try:
            secure = context.wrap_socket(plain)
        except ssl.SSLError as refusal:
            if "CERTIFICATE_REQUIRED" in str(refusal):
                return "tls", "wants a client certificate"
            return None
        with secure:
            version = secure.version() or "TLS"
            try:
                secure.sendall(HTTP)
                protocol, proof = answered(hear(secure, caller.patience_s))
            except OSError:
                protocol, proof = "", ""
    return (protocol, version + ", inside it " + proof) if protocol else ("tls", version)


def memcached(caller: Caller, ip: str, port: int) -> tuple[str, str] | None:
    """Ask for a version as memcached's text protocol does."""
    answer = caller.ask(ip, port, b"version\r\n")
    if answer.startswith(b"VERSION "):
        return "memcached", answer.split(b"\r\n")[0].decode("ascii", "replace")[:60]
    return None


def epmd(caller: Caller, ip: str, port: int) -> tuple[str, str] | None:
    """Ask Erlang's port mapper for the names of its nodes."""
    answer = caller.ask(ip, port, b"\0\x01n")
    if len(answer) >= 4 and int.from_bytes(answer[:4], "big") == port:
        return "erlang", "port mapper: " + answer[4:].decode("ascii", "replace").strip()[:80]
    return None


def erlang(caller: Caller, ip: str, port: int) -> tuple[str, str] | None:
    """Introduce ourselves as an Erlang node would, and break off when it answers."""
    name = f"seatrial-census-{os.getpid()}@census.invalid".encode()
    body = b"N" + struct.pack(">QIH", ERLANG_FLAGS, 1, len(name)) + name
    answer = caller.ask(ip, port, struct.pack(">H", len(body)) + body)
    if len(answer) >= 3 and answer[2:3] == b"s":
        return "erlang", "distribution handshake: " + shown(answer[3:15])
    return None


def shown(raw: bytes) -> str:
    """Return bytes as printable text."""
    return repr(raw[:40])[1:] if raw else "nothing"


def main(config: dict[str, Any]) -> None:
    """Speak to all ends and print what they said."""
    caller = Caller(config.get("patience_s", 2.0))

    def one(end: list[Any]) -> dict[str, Any]:
        try:
            protocol, proof = identify(caller, end[0], end[1])
        except OSError as problem:
            return {"ip": end[0], "port": end[1], "protocol": "unknown", "proof": f"no connection: {problem}"}
        return {"ip": end[0], "port": end[1], "protocol": protocol, "proof": proof}

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        said = list(pool.map(one, config["ends"]))
    print(json.dumps({"said": said}))  # noqa: T201  # its answer, not a log
