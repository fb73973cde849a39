"""Asks HTTP servers for a page, with and without a token. This file travels into a pod and runs there by itself.

Standard library only, Python 3.9 and later. ``CONFIG = {"patience_s": ..., "questions": [{"url": ..., "token": ... or
null}, ...]}``; prints the list of answers in the same order: ``{"status": 401}`` or ``{"error": "..."}``. It is never
given a token that is worth anything.
"""

from __future__ import annotations

import concurrent.futures
import http.client
import json
import socket
import ssl
import struct
import urllib.parse
from typing import Any


def ask(url: str, token: str | None, patience_s: float) -> dict[str, Any]:
    """Return the status of one GET; redirects are answers too, and are not followed."""
    parts = urllib.parse.urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        # Instances are asked by address, and certificates are made for names: who answers is known by the address.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(parts.netloc, timeout=patience_s, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=patience_s)
    try:
        connection.connect()
        # Closed by a reset, it leaves no TIME_WAIT in which a census would see the pod that this script ran in.
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        headers = {"User-Agent": "seatrial", "Accept": "application/json"}
        if token:
            headers["X-Auth-Token"] = token
        connection.request("GET", parts.path or "/", headers=headers)
        return {"status": connection.getresponse().status}
    except (OSError, http.client.HTTPException) as problem:
        return {"error": f"{type(problem).__name__}: {problem}"}
    finally:
        connection.close()


def main(config: dict[str, Any]) -> None:
    """Ask all questions and print the answers."""

    def one(question: dict[str, Any]) -> dict[str, Any]:
        return ask(question["url"], question["token"], config.get("patience_s", 10.0))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        print(json.dumps(list(pool.map(one, config["questions"]))))  # noqa: T201  # its answer, not a log
