"""The AMQP path: a message published and confirmed through the broker's Service."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import amqp

from seatrial.agent import names

_PREFETCH = 200
_SILENCE_S = 0.5
_NO_ROUTE = 312
"""What a broker says of a message that fits no queue (AMQP 0-9-1, constants)."""


class AmqpAccess(NamedTuple):
    """A queue of the harness's own on a broker, and how long its parts may take."""

    host: str
    port: int
    user: str
    password: str
    vhost: str
    queue: str
    quorum: bool
    encrypted: bool = False
    bounded: bool = False
    """Keep only the newest hundred messages: for a queue that only proves that publishing works."""
    connect_s: float = 0.12
    answer_s: float = 2.0


class _Connection(amqp.Connection):  # type: ignore[misc]  # amqp ships no types
    """Limits the TCP connection apart from the handshake, which a busy broker may take longer for."""

    reach_s = 0.0

    def Transport(self, host: Any, connect_timeout: Any, *args: Any, **options: Any) -> Any:  # noqa: N802  # amqp's name
        return super().Transport(host, self.reach_s, *args, **options)


class AmqpSession:
    """One connection with one channel in confirm mode."""

    def __init__(self, access: AmqpAccess) -> None:
        self._access = access
        self._connection = _Connection(
            host=f"{names.resolve(access.host, access.port)}:{access.port}",
            userid=access.user,
            password=access.password,
            virtual_host=access.vhost,
            login_method="PLAIN",
            connect_timeout=access.answer_s,
            read_timeout=access.answer_s,
            write_timeout=access.answer_s,
            confirm_publish=True,
            ssl={"cert_reqs": ssl.CERT_NONE, "server_hostname": access.host} if access.encrypted else False,
        )
        self._connection.reach_s = access.connect_s
        try:
            self._connection.connect()
            self.channel = self._connection.channel()
        except BaseException:
            self.close()
            raise

    def declare(self) -> None:
        """Make the queue as the deployment tells its clients to; the same again is fine."""
        arguments: dict[str, Any] = {"x-queue-type": "quorum"} if self._access.quorum else {}
        if self._access.bounded:
            arguments["x-max-length"] = 100
        self.channel.queue_declare(self._access.queue, durable=True, auto_delete=False, arguments=arguments)

    def publish(self, body: str) -> None:
        """Publish a persistent message and wait until the broker has confirmed that it keeps it.

        Mandatory, because a broker *confirms* a message that fits no queue, and drops it.
        """
        message = amqp.Message(body, delivery_mode=2, content_type="application/json")
        self.channel.basic_publish(
            message,
            exchange="",
            routing_key=self._access.queue,
            mandatory=True,
            timeout=self._access.answer_s,
            confirm_timeout=self._access.answer_s,
        )

    def drain(self, take: Callable[[Any], None], *, within_s: float) -> None:
        """Hand every message of the queue to ``take`` and acknowledge it; raises when it is not empty in time."""

        def deliver(message: Any) -> None:
            take(message)
            self.channel.basic_ack(message.delivery_tag)

        deadline = time.monotonic() + within_s
        self.channel.basic_qos(0, _PREFETCH, False)
        self.channel.basic_consume(self._access.queue, callback=deliver)
        # Silence alone proves nothing: a queue that has just changed its leader is silent for a moment.
        while self._deliver_until_silent(deadline) or self._left() > 0:
            if time.monotonic() > deadline:
                raise TimeoutError(f"messages still came after {within_s:g} s")

    def _deliver_until_silent(self, deadline: float) -> bool:
        """Let messages be delivered until none comes for a moment; tells whether any came."""
        came = False
        while time.monotonic() < deadline:
            try:
                self._connection.drain_events(timeout=_SILENCE_S)
            except socket.timeout:  # noqa: UP041  # not yet the same as TimeoutError in Python 3.9
                break
            came = True
        return came

    def _left(self) -> int:
        return int(self.channel.queue_declare(self._access.queue, passive=True).message_count)

    def ask(self) -> None:
        """Publish one message and have it confirmed."""
        self.publish("{}")

    def close(self) -> None:
        """End the connection without a farewell: the other end may be frozen."""
        self._connection.collect()


class AmqpPath:
    """How the prober opens AMQP sessions."""

    name: str
    keeps = True
    in_flight = 6

    def __init__(self, name: str, access: AmqpAccess) -> None:
        self.name = name
        self._access = access

    def open(self) -> AmqpSession:
        """Connect, log in, open a channel and make sure of the queue."""
        session = AmqpSession(self._access)
        try:
            session.declare()
        except BaseException:
            session.close()
            raise
        return session


def unroutable(problem: BaseException) -> bool:
    """Tell whether a broker returned the message because it fits no queue: it was certainly not kept."""
    return getattr(problem, "reply_code", None) == _NO_ROUTE


def from_config(config: dict[str, Any]) -> AmqpAccess:
    """Build from what the harness sent."""
    return AmqpAccess(**{key: config[key] for key in AmqpAccess._fields if key in config})
