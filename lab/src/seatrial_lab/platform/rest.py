"""Asking the API server with nothing but the standard library: for programs that run on every node."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]

CONFLICT = 409
ANSWER_S = 10.0


class ApiError(Exception):
    """The API server refused, or could not be asked (``status`` 0)."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Rest:
    """One connection to the API server; ``headers`` is asked for every request, as tokens are renewed."""

    def __init__(self, server: str, tls: ssl.SSLContext, headers: Callable[[], dict[str, str]] = dict) -> None:
        address = urlsplit(server)
        self._where = (str(address.hostname), address.port or 443)
        self._tls = tls
        self._headers = headers
        self._connection = self._connect(ANSWER_S)

    def _connect(self, timeout_s: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(*self._where, context=self._tls, timeout=timeout_s)

    def ask(self, method: str, path: str, body: Json | None = None, *, accept: str = "application/json") -> Json:
        """Return the answer to one request; a PATCH is a merge patch."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Accept": accept, "Content-Type": kind, **self._headers()}
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = self._connection.getresponse()
            content: Json = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as problem:
            self._connection.close()  # the next request opens it again
            raise ApiError(f"the API server could not be asked: {problem!r}") from None
        if answer.status >= http.client.BAD_REQUEST:
            raise ApiError(str(content.get("message")), answer.status)
        return content

    def changes(self, path: str, timeout_s: int) -> Iterator[Json]:
        """Return what a watch tells, until it ends; it has a connection of its own."""
        connection = self._connect(timeout_s + ANSWER_S)
        try:
            connection.request("GET", f"{path}?watch=1&timeoutSeconds={timeout_s}", headers=self._headers())
            answer = connection.getresponse()
            if answer.status >= http.client.BAD_REQUEST:
                raise ApiError(f"watch of {path} answered {answer.status}", answer.status)
            while line := answer.readline():
                yield json.loads(line)
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise ApiError(f"watch of {path}: {problem!r}") from None
        finally:
            connection.close()
