"""Writers of the ledger: numbered entries, each of which ends ok, fail (certainly no effect) or unknown."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, NamedTuple, Protocol

import pymysql

from seatrial.agent import clock
from seatrial.agent.amqp_path import AmqpAccess, AmqpSession, unroutable
from seatrial.agent.failures import FAILURES
from seatrial.agent.http_path import HttpAccess, HttpSession
from seatrial.agent.sql_path import SqlAccess, SqlSession
from seatrial.agent.wire import Wire, short, wait_until

OK, FAIL, UNKNOWN = "ok", "fail", "unknown"
_CREATED = 201
_CLIENT_ERROR = range(400, 500)
_REQUEST_TIMEOUT = 408
_DRAIN_S = 90.0
_LOST_OR_KILLED = frozenset({2006, 2013, 1180, 1317, 1053, 1927, 4031})
"""MariaDB errors after which nobody knows: connection lost, error during commit, interrupted, shutdown, killed."""


class Writer(Protocol):
    """Makes one entry after another."""

    kind: str

    def write(self, number: int) -> tuple[str, str]:
        """Make the entry; returns how it ended, and a short detail unless ok."""


class SqlRows:
    """Rows through SQL."""

    kind = "sql_row"

    def __init__(self, access: SqlAccess) -> None:
        self._access = access
        self._session: SqlSession | None = None

    def write(self, number: int) -> tuple[str, str]:
        """Insert one row and commit it."""
        if self._session is None:
            try:
                self._session = SqlSession(self._access)
            except FAILURES as problem:
                return FAIL, short(problem)
        try:
            self._session.run("INSERT INTO ledger (id, written) VALUES (%s, NOW(6))", (number,))
        except FAILURES as problem:
            session, self._session = self._session, None
            session.close()
            return sql_outcome(problem), short(problem)
        return OK, ""


class AmqpMessages:
    """Messages with publisher confirms."""

    kind = "amqp_message"

    def __init__(self, access: AmqpAccess) -> None:
        self._access = access
        self._session: AmqpSession | None = None

    def write(self, number: int) -> tuple[str, str]:
        """Publish one message and wait for its confirmation."""
        if self._session is None:
            try:
                self._session = AmqpSession(self._access)
                self._session.declare()
            except FAILURES as problem:
                self._drop()
                return FAIL, short(problem)
        try:
            self._session.publish(json.dumps({"id": number}))
        except FAILURES as problem:
            self._drop()
            return (FAIL if unroutable(problem) else UNKNOWN), short(problem)
        return OK, ""

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


class ProjectAccess(NamedTuple):
    """Where projects are made, under which names, and with which token."""

    url: str
    token: str
    prefix: str
    domain: str = "default"
    ca: str | None = None
    verify: bool = True
    connect_s: float = 1.0
    answer_s: float = 10.0


class Projects:
    """Keystone projects through its API."""

    kind = "keystone_project"

    def __init__(self, access: ProjectAccess) -> None:
        self._access = access
        self._http = HttpAccess(access.url, access.connect_s, access.answer_s, access.ca, access.verify)

    def write(self, number: int) -> tuple[str, str]:
        """Create one project; a name is never used twice."""
        body = json.dumps(
            {
                "project": {
                    "name": f"{self._access.prefix}{number:06d}",
                    "domain_id": self._access.domain,
                    "description": "made by seatrial; can be deleted",
                    "enabled": False,
                }
            }
        )
        headers = {"Content-Type": "application/json", "X-Auth-Token": self._access.token}
        try:
            session = HttpSession(self._http)
        except FAILURES as problem:
            return FAIL, short(problem)
        try:
            status, _ = session.exchange("POST", body, headers)
        except FAILURES as problem:
            return UNKNOWN, short(problem)
        finally:
            session.close()
        return http_outcome(status)


def http_outcome(status: int) -> tuple[str, str]:
    """Return how a request to create something ended: a refusal is certain, a server's error is not."""
    if status == _CREATED:
        return OK, ""
    refused = status in _CLIENT_ERROR and status != _REQUEST_TIMEOUT
    return (FAIL if refused else UNKNOWN), f"HTTP {status}"


def sql_outcome(problem: BaseException) -> str:
    """Return how a statement that raised ended.

    A numbered error that the server sent is a refusal and leaves nothing behind (for example 1047, a member without
    quorum; 1213, rolled back in favour of another), except the few that come in the middle of a commit. Everything
    else (a lost connection, silence) may have had effect.
    """
    if isinstance(problem, pymysql.err.MySQLError) and problem.args and isinstance(problem.args[0], int):
        code = problem.args[0]
        server_said = 1000 <= code < 2000 or 3000 <= code < 5000
        return FAIL if server_said and code not in _LOST_OR_KILLED else UNKNOWN
    return UNKNOWN


def keep(writer: Writer, wire: Wire, ended: threading.Event, *, every_s: float) -> None:
    """Make entry after entry at a steady pace until told to end; an entry that has begun is always finished."""
    tick = time.monotonic()
    number = 0
    while not wait_until(tick, ended):
        number += 1
        asked = clock.now()
        outcome, detail = writer.write(number)
        wire.write(writer.kind, number, asked=asked, ended=clock.now(), outcome=outcome, detail=detail)
        tick = max(tick + every_s, time.monotonic())


def drain(access: AmqpAccess, wire: Wire) -> None:
    """Take every message out of the queue and say which numbers came, how often."""
    counts: dict[str, int] = {}
    redelivered = 0

    def take(message: Any) -> None:
        nonlocal redelivered
        number = str(json.loads(message.body)["id"])
        # Handed out before and given back is one message seen twice, not two messages.
        again = bool(message.delivery_info.get("redelivered")) and number in counts
        redelivered += again
        counts[number] = counts.get(number, 0) + (not again)

    try:
        session = AmqpSession(access._replace(connect_s=2.0, answer_s=10.0))
        try:
            session.drain(take, within_s=_DRAIN_S)
        finally:
            session.close()
    except FAILURES as problem:
        wire.say("drained", p=AmqpMessages.kind, ok=False, n=counts, detail=short(problem))
        return
    wire.say("drained", p=AmqpMessages.kind, ok=True, n=counts, redelivered=redelivered)


def from_config(config: dict[str, Any]) -> ProjectAccess:
    """Build from what the harness sent."""
    return ProjectAccess(**{key: config[key] for key in ProjectAccess._fields if key in config})
