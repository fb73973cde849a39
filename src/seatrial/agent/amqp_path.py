"""The AMQP path: a message published and confirmed through the broker's Service."""

from __future__ import annotations

import ssl
from typing import Any, NamedTuple

import amqp

from seatrial.agent import names

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

    def take(self) -> Any:
        """Return the next message (to be acknowledged by its tag), or None when the queue is empty."""
        return self.channel.basic_get(self._access.queue, no_ack=False)

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
