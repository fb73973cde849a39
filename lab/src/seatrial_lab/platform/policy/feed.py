"""Following the objects of one kind, with nothing but Python's own library: there is one agent on every node."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from seatrial_lab.platform.policy.objects import Json

WINDOW_S = 60
"""How long one watch lasts; then all is listed anew."""
PAUSE_S = 1.0
QUIET = ((socket.SO_KEEPALIVE, 1), (socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3))
"""An API server that has gone without a word is noticed after eleven seconds."""
log = logging.getLogger("policy")


class Feed(threading.Thread):
    """A thread that keeps what a projection makes of every object of a kind; what it makes None of is not kept."""

    def __init__(
        self,
        path: str,
        connect: Callable[[], tuple[http.client.HTTPConnection, dict[str, str]]],
        projection: Callable[[Json], Any],
        changed: threading.Event,
    ) -> None:
        super().__init__(name=path, daemon=True)
        self._path, self._connect, self._projection, self._changed = path, connect, projection, changed
        self.objects: dict[str, Any] | None = None
        """By uid; None until they were listed once."""
        self.fresh = False
        """Whether changes are being heard of."""

    def run(self) -> None:
        """List and watch, for ever."""
        while True:
            try:
                self._follow()
            except Exception as problem:  # whatever it was, all is listed anew
                self.fresh = False
                log.warning("%s: %s %s", self._path, type(problem).__name__, problem)
                time.sleep(PAUSE_S)

    def _follow(self) -> None:
        connection, headers = self._connect()
        try:
            connection.connect()
            for option, value in QUIET:
                level = socket.SOL_SOCKET if option == socket.SO_KEEPALIVE else socket.IPPROTO_TCP
                connection.sock.setsockopt(level, option, value)
            listed = json.load(self._ask(connection, self._path, headers))
            self.objects = {
                uid: kept for item in listed["items"] for uid, kept in [self._keep(item)] if kept is not None
            }
            self.fresh = True
            self._changed.set()
            query = f"watch=true&timeoutSeconds={WINDOW_S}&resourceVersion={listed['metadata']['resourceVersion']}"
            for line in self._ask(connection, f"{self._path}?{query}", headers):
                self._take(json.loads(line))
        finally:
            connection.close()

    def _ask(
        self, connection: http.client.HTTPConnection, path: str, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            raise ValueError(f"the API server answers {answer.status} {answer.reason}")
        return answer

    def _keep(self, document: Json) -> tuple[str, Any]:
        return document["metadata"]["uid"], self._projection(document)

    def _take(self, event: Json) -> None:
        if event["type"] == "ERROR":
            raise ValueError(event["object"].get("message", "watch ended"))
        uid, kept = self._keep(event["object"])
        objects = dict(self.objects or {})  # whoever reads the old one is not disturbed
        if kept is None or event["type"] == "DELETED":
            objects.pop(uid, None)
        elif objects.get(uid) == kept:
            return
        else:
            objects[uid] = kept
        self.objects = objects
        self._changed.set()
