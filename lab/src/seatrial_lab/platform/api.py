"""Asking the API server, as administrator, without starting a program for each question."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from seatrial_lab.platform.control_plane import server_url
from seatrial_lab.topology import Topology


class Api:
    """Read access to the API server with the administrator's certificate."""

    def __init__(self, state: Path, plan: Topology) -> None:
        pki = state / "pki"
        self._url = server_url(plan)
        self._context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._context.load_cert_chain(pki / "admin.crt", pki / "admin.key")

    def is_ready(self) -> bool:
        """Tell whether the API server says that it is ready."""
        try:
            return self._ask("/readyz") == b"ok"
        except (urllib.error.URLError, OSError):
            return False

    def get(self, path: str) -> dict[str, Any]:
        """Return what is at a path; an empty answer while it cannot be had."""
        try:
            got: dict[str, Any] = json.loads(self._ask(path))
        except (urllib.error.URLError, OSError):
            return {}
        return got

    def items(self, path: str) -> list[dict[str, Any]]:
        """Return the objects of a list."""
        found: list[dict[str, Any]] = self.get(path).get("items", [])
        return found

    def _ask(self, path: str) -> bytes:
        url = f"{self._url}{path}"
        with urllib.request.urlopen(url, context=self._context, timeout=5) as answer:  # noqa: S310 (always https)
            content: bytes = answer.read()
            return content
