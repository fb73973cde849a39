"""The SQL path: a small write and a read through the Service that the database's clients use."""

from __future__ import annotations

import itertools
import socket
from typing import Any, NamedTuple

import pymysql

from seatrial.agent import names
from seatrial.agent.http_path import tls

_slots = itertools.count()
_SLOTS = 64


class SqlAccess(NamedTuple):
    """A schema of the harness's own in a database, and how long its parts may take."""

    host: str
    port: int
    user: str
    password: str
    database: str
    encrypted: bool = False
    ca: str | None = None
    connect_s: float = 0.16
    answer_s: float = 2.0


class SqlSession:
    """One connection to the database."""

    def __init__(self, access: SqlAccess) -> None:
        # Each session writes a row of its own: after a failover two sessions may sit on two members for a moment, and
        # two writes of one row on two members would be refused as a conflict, which is not an outage.
        self._slot = next(_slots) % _SLOTS
        # Connected here, not by pymysql: for every refused connection it formats a traceback, which under load takes
        # longer than the interval between two questions.
        address = (names.resolve(access.host, access.port), access.port)
        reached = socket.create_connection(address, timeout=access.connect_s)
        reached.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sql = pymysql.connect(
            host=access.host,
            user=access.user,
            password=access.password,
            database=access.database,
            read_timeout=access.answer_s,
            write_timeout=access.answer_s,
            autocommit=True,
            ssl=tls(access.ca, verify=False) if access.encrypted else None,
            ssl_disabled=not access.encrypted,
            defer_connect=True,
        )
        self._sql.connect(reached)

    def run(self, sql: str, parameters: tuple[Any, ...] = ()) -> Any:
        """Run one statement and return its first row, if it gives any."""
        with self._sql.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchone()

    def ask(self) -> None:
        """Read, and write one row; both must be answered."""
        self.run("SELECT 1")
        self.run("REPLACE INTO path (slot, written) VALUES (%s, NOW(6))", (self._slot,))

    def close(self) -> None:
        """End the connection; the farewell is sent, and nobody waits for an answer to it."""
        if self._sql.open:
            self._sql.close()


class SqlPath:
    """How the prober opens SQL sessions."""

    name: str
    keeps = True
    in_flight = 8

    def __init__(self, name: str, access: SqlAccess) -> None:
        self.name = name
        self._access = access

    def open(self) -> SqlSession:
        """Connect and log in."""
        return SqlSession(self._access)


def from_config(config: dict[str, Any]) -> SqlAccess:
    """Build from what the harness sent."""
    return SqlAccess(**{key: config[key] for key in SqlAccess._fields if key in config})
