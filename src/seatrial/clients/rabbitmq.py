"""The broker's own view of itself, asked inside one of its pods."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from seatrial.clients.kube import Kube
from seatrial.clients.looking import Malformed
from seatrial.model.errors import Unreachable
from seatrial.model.target import Secret

CONTAINER = "rabbitmq"
"""Of every broker pod, in all releases (rhoso-topology, section 3)."""
QUEUE_COLUMNS = (
    "name",
    "type",
    "durable",
    "auto_delete",
    "exclusive",
    "policy",
    "messages",
    "pid",
    "members",
    "online",
    "leader",
)
_MIRRORS = "slave_pids"
"""Column of RabbitMQ before 4.0, which removed mirrored classic queues."""


def ctl(kube: Kube, pod: str, arguments: Sequence[str], *, namespace: str, timeout_s: float = 30) -> Any:
    """Run one ``rabbitmqctl`` command and return its JSON answer."""
    argv = ["rabbitmqctl", "--quiet", "--formatter", "json", *arguments]
    answer = kube.exec(pod, argv, namespace=namespace, container=CONTAINER, timeout_s=timeout_s)
    if answer.status != 0:
        problem = " ".join((answer.stderr or answer.stdout).split())[:300]
        raise Unreachable(f"rabbitmqctl {arguments[0]} in pod {namespace}/{pod} ended with {answer.status}: {problem}")
    return parse(answer.stdout, what=arguments[0])


def parse(text: str, *, what: str) -> Any:
    """Return the JSON in an answer; the tool may print a warning line before it."""
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    if start < 0:
        raise Malformed(f"rabbitmqctl {what} gave no JSON: {text[:80]!r}")
    try:
        return json.loads(text[start:])
    except ValueError as problem:
        raise Malformed(f"rabbitmqctl {what} gave malformed JSON: {text[start : start + 80]!r}") from problem


def cluster_status(kube: Kube, pod: str, *, namespace: str) -> dict[str, Any]:
    """Return what this member believes its cluster to be."""
    answer = ctl(kube, pod, ["cluster_status"], namespace=namespace)
    if not isinstance(answer, dict):
        raise Malformed("rabbitmqctl cluster_status gave no object")
    return answer


def vhosts(kube: Kube, pod: str, *, namespace: str) -> list[str]:
    """Return the names of all virtual hosts."""
    return [str(row["name"]) for row in ctl(kube, pod, ["list_vhosts", "name"], namespace=namespace)]


def queues(kube: Kube, pod: str, *, namespace: str, vhost: str) -> list[dict[str, Any]]:
    """Return all queues of a virtual host, with members and online members where their type has such."""
    command = ["list_queues", "-p", vhost, *QUEUE_COLUMNS]
    try:
        answer = ctl(kube, pod, [*command, _MIRRORS], namespace=namespace)
    except Unreachable as refusal:
        if _MIRRORS not in str(refusal):
            raise
        answer = ctl(kube, pod, command, namespace=namespace)
    if not isinstance(answer, list):
        raise Malformed("rabbitmqctl list_queues gave no list")
    return [dict(row) for row in answer]


def default_user(kube: Kube, name: str, *, namespace: str) -> tuple[str, Secret]:
    """Return user and password of a cluster's default account, from the Secret that its operator writes."""
    secret = f"{name}-default-user"
    user = kube.public_part(secret, "username", namespace=namespace)
    return user, kube.secret(secret, "password", namespace=namespace)
