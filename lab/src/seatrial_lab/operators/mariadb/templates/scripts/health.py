"""Answers the kubelet's probes of a Galera member over HTTP: a process a probe would cost far more.

/startup: mariadbd answers and belongs to a primary component.  /ready: it is synced.  /live: its component is primary.
It asks mariadbd each time, over a connection that it keeps, as an account without rights or password.
/members, for other members: the names in this one's view, as mariadbd told it last.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import socketserver
from pathlib import Path
from typing import Any

import pymysql

PORT = int(os.environ.get("HEALTH_PORT", "8081"))
SOCKET = "/run/mysqld/mysqld.sock"
VIEW = Path("/run/mysqld/view.json")  # written by wsrep_notify.py
CHECKS = {
    "/startup": ("wsrep_cluster_status", "Primary"),
    "/ready": ("wsrep_local_state_comment", "Synced"),
    "/live": ("wsrep_cluster_status", "Primary"),
}


class Member:
    """The mariadbd of this container."""

    def __init__(self) -> None:
        self._connection: Any = None

    def status(self, variable: str) -> str:
        """One wsrep status value; OSError or pymysql.MySQLError if mariadbd doesn't answer."""
        try:
            if self._connection is None:
                self._connection = pymysql.connect(
                    unix_socket=SOCKET, user="mysql", connect_timeout=2, read_timeout=2, write_timeout=2
                )
            with self._connection.cursor() as cursor:
                cursor.execute("SHOW GLOBAL STATUS LIKE %s", (variable,))
                row = cursor.fetchone()
                return str(row[1]) if row else "absent"
        except (OSError, pymysql.MySQLError):
            broken, self._connection = self._connection, None
            with contextlib.suppress(OSError, pymysql.MySQLError):
                if broken is not None:
                    broken.close()
            raise


MEMBER = Member()


class Answer(http.server.BaseHTTPRequestHandler):
    """One probe."""

    timeout = 5

    def do_GET(self) -> None:
        """Say 200 if it is so, 503 and why if it is not."""
        if self.path == "/members":
            self._reply(200, "\n".join(json.loads(VIEW.read_text())["members"] if VIEW.exists() else ()))
            return
        check = CHECKS.get(self.path)
        if check is None:
            self._reply(404, "no such probe")
            return
        variable, good = check
        try:
            found = MEMBER.status(variable)
        except (OSError, pymysql.MySQLError) as problem:
            self._reply(503, f"mariadbd does not answer: {type(problem).__name__}")
            return
        self._reply(200 if found == good else 503, f"{variable} = {found}")

    def _reply(self, code: int, text: str) -> None:
        body = (text + "\n").encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Probes are not worth a line each."""


class Server(socketserver.TCPServer):
    """Not http.server's own, which begins by asking the DNS for the machine's name."""

    allow_reuse_address = True


if __name__ == "__main__":
    Server(("", PORT), Answer).serve_forever()
