"""How the things that the harness makes for itself in a deployment are reached; credentials are wrapped."""

from __future__ import annotations

from dataclasses import dataclass

from seatrial.model.target import Secret


@dataclass(frozen=True, slots=True)
class AgentAccess:
    """The harness's own pod."""

    namespace: str
    pod: str
    container: str


@dataclass(frozen=True, slots=True)
class SchemaAccess:
    """A schema and account of the harness's own in a database, reached as the database's clients reach it."""

    namespace: str
    galera: str
    """The Galera resource."""
    members: tuple[str, ...]
    """Its pods."""
    host: str
    port: int
    user: str
    password: Secret
    database: str


@dataclass(frozen=True, slots=True)
class QueueAccess:
    """Queues and an account of the harness's own on a broker, reached as the broker's clients reach it."""

    host: str
    port: int
    encrypted: bool
    user: str
    password: Secret
    vhost: str
    ledger_queue: str
    path_queue: str
    quorum: bool
    """Whether the deployment tells its clients to declare quorum queues."""


@dataclass(frozen=True, slots=True)
class ProjectsAccess:
    """The names under which the harness makes Keystone projects."""

    prefix: str
