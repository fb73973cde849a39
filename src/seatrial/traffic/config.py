"""What each agent is told to do: which paths to ask, which ledgers to keep, and with which credentials."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.model.access import AgentAccess, ProjectsAccess, QueueAccess, SchemaAccess
from seatrial.model.errors import Unreachable

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

EVERY_S = 0.02
_ROWS_EVERY_S = 0.05
_MESSAGES_EVERY_S = 0.05
_PROJECTS_EVERY_S = 0.5
_PUBLIC_EVERY_S = 0.05
"""Fine enough for what users notice; the same API is asked at the full pace from inside."""
_MOST_S = 1800
_SILENCE_S = 20


def inside(
    deployment: Deployment,
    agent: AgentAccess,
    schema: SchemaAccess | None,
    queue: QueueAccess | None,
    *,
    ledger: bool,
) -> dict[str, Any]:
    """Return the configuration of the agent in the cluster: HTTP inside, SQL and AMQP as their clients use them."""
    paths: list[dict[str, Any]] = [{"kind": "http", "name": "http", "url": internal_url(deployment)}]
    ledgers: list[dict[str, Any]] = []
    if schema is not None:
        sql = {
            "host": schema.host,
            "port": schema.port,
            "user": schema.user,
            "password": schema.password.reveal(),
            "database": schema.database,
        }
        paths.append({"kind": "sql", "name": "sql", **sql})
        ledgers.append({"kind": "sql_row", "every_s": _ROWS_EVERY_S, "answer_s": 10.0, "connect_s": 1.0, **sql})
    if queue is not None:
        amqp = {
            "host": queue.host,
            "port": queue.port,
            "encrypted": queue.encrypted,
            "user": queue.user,
            "password": queue.password.reveal(),
            "vhost": queue.vhost,
            "quorum": queue.quorum,
        }
        paths.append({"kind": "amqp", "name": "amqp", "queue": queue.path_queue, "bounded": True, **amqp})
        kept = {"queue": queue.ledger_queue, "answer_s": 10.0, "connect_s": 1.0}
        ledgers.append({"kind": "amqp_message", "every_s": _MESSAGES_EVERY_S, **kept, **amqp})
    return _limited(paths, ledgers if ledger else [])


def outside(
    deployment: Deployment, projects: ProjectsAccess | None, *, every_s: float = _PUBLIC_EVERY_S
) -> dict[str, Any]:
    """Return the configuration of the agent on this machine: the public API as users reach it."""
    url = deployment.openstack.identity_url
    ca, verify = _authorities(deployment.openstack.trust)
    trust = {"ca": ca, "verify": verify}
    ledgers: list[dict[str, Any]] = []
    if projects is not None:
        ledgers.append(
            {
                "kind": "keystone_project",
                "every_s": _PROJECTS_EVERY_S,
                "url": f"{url}/projects",
                "token": deployment.openstack.token().reveal(),
                "prefix": projects.prefix,
                **trust,
            }
        )
    return _limited([{"kind": "http", "name": "public", "url": url, "every_s": every_s, **trust}], ledgers)


def internal_url(deployment: Deployment) -> str:
    """Return Keystone's internal endpoint as the catalogue names it to the cloud's own services."""
    for service in deployment.openstack.catalog():
        if service.get("type") == "identity":
            for endpoint in service.get("endpoints") or []:
                if endpoint.get("interface") == "internal":
                    url = str(endpoint["url"]).rstrip("/")
                    return url if url.endswith("/v3") else f"{url}/v3"
    raise Unreachable("the catalogue names no internal endpoint of the identity service")


def _limited(paths: list[dict[str, Any]], ledgers: list[dict[str, Any]]) -> dict[str, Any]:
    asked = [{"every_s": EVERY_S, **path} for path in paths]
    return {"max_s": _MOST_S, "silence_s": _SILENCE_S, "paths": asked, "ledgers": ledgers}


def _authorities(trust: bool | str) -> tuple[str | None, bool]:
    """Return certificates to trust as PEM (or None) and whether to verify, from how the cloud's client is set."""
    if isinstance(trust, str):
        try:
            return Path(trust).read_text(encoding="utf-8"), True
        except OSError as problem:
            raise Unreachable(f"the cloud's certificate authorities can't be read: {problem}") from problem
    return None, trust
