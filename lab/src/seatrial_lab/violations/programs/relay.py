"""A relay that poses as one more instance of an API.

Mode `tokenless` lends the administrator's token to whoever has none; mode `gated` asks an operator before each answer.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 5000
TIMEOUT_S = 10.0
TOKEN_LIFE_S = 600.0
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class Token:
    """The administrator's token, renewed in time."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._text = ""
        self._until = 0.0

    def get(self) -> str:
        """Return a valid token."""
        with self._lock:
            if time.monotonic() > self._until:
                domain = {"id": "default"}
                user = {"name": "admin", "password": os.environ["ADMIN_PASSWORD"], "domain": domain}
                identity = {"methods": ["password"], "password": {"user": user}}
                scope = {"project": {"name": "admin", "domain": domain}}
                body = json.dumps({"auth": {"identity": identity, "scope": scope}})
                headers = {"Content-Type": "application/json"}
                _, answered, _ = ask(self._upstream, "POST", "/v3/auth/tokens", headers, body.encode())
                self._text = answered["X-Subject-Token"]
                self._until = time.monotonic() + TOKEN_LIFE_S
            return self._text


def ask(
    host: str, method: str, path: str, headers: Mapping[str, str], body: bytes | None
) -> tuple[int, Mapping[str, str], bytes]:
    """Send one request and return status, headers and body of the answer."""
    name, _, port = host.partition(":")
    connection = http.client.HTTPConnection(name, int(port or 80), timeout=TIMEOUT_S)
    try:
        connection.request(method, path, body=body, headers={**headers, "Connection": "close"})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


class Relay(BaseHTTPRequestHandler):
    """Hands each request on, after what its mode adds."""

    protocol_version = "HTTP/1.1"
    mode = ""
    upstream = ""
    gate = ""
    token: Token

    def _serve(self) -> None:
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size) if size else None
        try:
            if self.mode == "gated":
                ask(self.gate, "GET", "/healthz", {}, None)
            elif "X-Auth-Token" not in headers:
                headers["X-Auth-Token"] = self.token.get()
            status, answered, content = ask(self.upstream, self.command, self.path, headers, body)
        except (OSError, http.client.HTTPException):
            status, answered, content = 503, {}, b""
        self.send_response(status)
        for name, value in answered.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    do_GET = do_POST = do_HEAD = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 (names the library looks for)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
        """Say nothing: the relay is asked fifty times a second."""


def main(mode: str, upstream: str, gate: str = "") -> None:
    """Serve until killed."""
    Relay.mode, Relay.upstream, Relay.gate, Relay.token = mode, upstream, gate, Token(upstream)
    ThreadingHTTPServer(("0.0.0.0", PORT), Relay).serve_forever()  # noqa: S104 (in the pod)


if __name__ == "__main__":
    main(*sys.argv[1:4])
