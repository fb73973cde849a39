"""A platform's API in miniature, over TLS, with exec; a proxy in front of it that notes what it is asked."""

from __future__ import annotations

import base64
import hashlib
import http.server
import ipaddress
import json
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "platform.example"
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def certificate(folder: Path, *names: str) -> tuple[Path, Path]:
    """Write a certificate for these names that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([_named(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(own, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    authority, private = folder / "ca.crt", folder / "key.pem"
    authority.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return authority, private


def _named(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Platform

    def do_GET(self) -> None:
        token = self.headers.get("authorization", "")
        self.server.asked.append((self.path.partition("?")[0], token))
        if token.removeprefix("Bearer ").removeprefix("bearer ") not in self.server.accepted:
            self._say(401, {"message": "Unauthorized"})
        elif self.headers.get("upgrade", "") == "websocket":
            self._exec()
        else:
            self._say(200, {"kind": "Pod", "metadata": {"name": "p"}})

    def _say(self, status: int, body: dict[str, Any]) -> None:
        said = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def _exec(self) -> None:
        """Run a command that says ``hello`` and ends well."""
        digest = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + _MAGIC).encode()).digest()  # noqa: S324
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(digest).decode())
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        for said in (b"\x01hello", b'\x03{"status": "Success"}'):
            self.wfile.write(bytes([0x82, len(said)]) + said)
        self.wfile.write(b"\x88\x00")
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Platform(http.server.ThreadingHTTPServer):
    """Answers whoever comes with an accepted token, and notes everybody."""

    daemon_threads = True

    def __init__(self, folder: Path, *names: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str]] = []
        self.accepted = {"t"}
        self.authority, key = certificate(folder, *names)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def port(self) -> int:
        """Return where it listens."""
        return int(self.server_address[1])

    def handle_error(self, *_: object) -> None:
        """A client that does not trust us is no error of ours."""


class _Tunnel(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        """Connect to the one platform behind us, whatever its name is said to be."""
        head = [self.rfile.readline().decode().strip()]
        while line := self.rfile.readline().decode().strip():
            head.append(line)
        self.server.asked.append(head)
        if self.server.refuses:
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", self.server.to)) as there:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            ends = {self.connection: there, there: self.connection}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    if not (data := end.recv(65536)):
                        return
                    ends[end].sendall(data)


class Proxy(socketserver.ThreadingTCPServer):
    """A proxy that makes tunnels (CONNECT), and notes for whom."""

    daemon_threads = True

    def __init__(self, to: int) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.to = to
        self.refuses = False
        self.asked: list[list[str]] = []

    @property
    def url(self) -> str:
        """Return how clients name it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """A tunnel that is cut is no error of ours."""


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    """Serve on a thread of its own inside the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
