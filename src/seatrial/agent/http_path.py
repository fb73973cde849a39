"""The HTTP path: every question is a connection of its own, as every user's is.

A connection kept open would stay with one replica and hide what a Service (which chooses per connection) does.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from seatrial.agent import names
from seatrial.agent.failures import Unanswered

_REFUSED = 400


class HttpAccess(NamedTuple):
    """An HTTP URL, and how long its parts may take."""

    url: str
    connect_s: float = 0.2
    answer_s: float = 2.0
    ca: str | None = None
    """Certificates to trust, as PEM. Without them and ``verify``, https is not verified: only the path is measured."""
    verify: bool = False


class HttpSession:
    """One connection for one exchange."""

    def __init__(self, access: HttpAccess) -> None:
        parts = urlsplit(access.url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._http = http.client.HTTPConnection(host, port, timeout=access.answer_s)
        plain = socket.create_connection((names.resolve(host, port), port), timeout=access.connect_s)
        plain.settimeout(access.answer_s)
        self._http.sock = _secured(plain, host, access) if parts.scheme == "https" else plain

    def exchange(self, method: str, body: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        """Send a request and return status and body of the answer."""
        self._http.request(method, self._path, body=body, headers={"Connection": "close", **headers})
        answer = self._http.getresponse()
        return answer.status, answer.read()

    def ask(self) -> None:
        """GET the URL; a refusal (401, 404, 503, ...) means that this is not the service, or that it does not serve."""
        status, _ = self.exchange("GET", None, {})
        if status >= _REFUSED:
            raise Unanswered(f"HTTP {status}")

    def close(self) -> None:
        """End the connection."""
        self._http.close()


class HttpPath:
    """How the prober opens HTTP sessions."""

    name: str
    keeps = False
    in_flight = 10

    def __init__(self, name: str, access: HttpAccess) -> None:
        self.name = name
        self._access = access

    def open(self) -> HttpSession:
        """Connect, without asking anything yet."""
        return HttpSession(self._access)


def _secured(plain: socket.socket, host: str, access: HttpAccess) -> ssl.SSLSocket:
    try:
        return tls(access.ca, access.verify).wrap_socket(plain, server_hostname=host)
    except OSError:
        plain.close()
        raise


@lru_cache(maxsize=8)
def tls(ca: str | None, verify: bool) -> ssl.SSLContext:
    """Return how to speak TLS: verified against ``ca`` (PEM) or the system's, or not at all.

    Made once: reading a system's authorities takes longer than the interval between two questions.
    """
    if verify or ca:
        return ssl.create_default_context(cadata=ca) if ca else ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def from_config(config: dict[str, Any]) -> HttpAccess:
    """Build from what the harness sent."""
    return HttpAccess(**{key: config[key] for key in HttpAccess._fields if key in config})
