"""Queues and an account of the harness's own on the broker, for the AMQP path and the ledger's messages."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from seatrial.clients import rabbitmq
from seatrial.faults import proof
from seatrial.faults.given import Given
from seatrial.model.access import QueueAccess
from seatrial.model.errors import Unreachable
from seatrial.model.fault import Injection, Look
from seatrial.model.inventory import Component, Inventory, Resource, Role
from seatrial.model.known import cut
from seatrial.model.observation import Json
from seatrial.model.rights import Right, exec_in, rights
from seatrial.model.target import Grant, Secret

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

_KINDS = ("RabbitMq", "RabbitmqCluster")
_PORT, _PORT_TLS = 5672, 5671
_ABSENT = ("not_found", "not found", "does not exist", "no such")


@dataclass(frozen=True, slots=True)
class BrokerQueue:
    """Makes a user that may touch the harness's own queues only; undo deletes those queues and the user.

    The queues are declared by the agent, in the virtual host and of the type that the deployment tells its clients to
    use: queues elsewhere would prove nothing about the services' (a mirroring policy holds for one virtual host).
    """

    broker: str = ""
    """Name of the RabbitMq resource; empty: the one of the control plane."""
    password: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(24)), compare=False, repr=False)
    """Lives in this process only: neither parameters nor recipe hold it, and undo needs none."""
    kind: ClassVar[str] = "broker_queue"
    grant: ClassVar[Grant] = Grant.MUTATE
    one_way: ClassVar[bool] = False

    @classmethod
    def from_given(cls, given: Given) -> BrokerQueue:
        """Make it of parameters that somebody wrote."""
        return cls(given.maybe_text("broker") or "")

    def parameters(self) -> Mapping[str, Json]:
        """Return what makes an equal one."""
        return {"broker": self.broker} if self.broker else {}

    def rights(self) -> tuple[Right, ...]:
        """Return what it needs of the platform."""
        return (*exec_in(), *rights("get", "secrets"))

    def applies(self, inventory: Inventory) -> str | None:
        """Return why it can't be made: there is no such broker."""
        found = [resource.name for kind in _KINDS for resource in inventory.of_kind(kind)]
        if not found:
            return "there is no RabbitMq resource in this deployment"
        return None if not self.broker or self.broker in found else f"there is no RabbitMq {self.broker!r}: {found}"

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Choose names that nobody has, and read how the deployment's clients reach the broker."""
        resource = _resource(inventory, self.broker)
        component = _component(inventory, resource)
        if not component.replicas:
            raise Unreachable(f"{resource.subject} has no pod through which its queues could be taken back")
        name = f"seatrial-{secrets.token_hex(3)}"
        recipe: dict[str, Json] = {
            "namespace": resource.namespace,
            "broker": resource.name,
            "pods": [replica.name for replica in sorted(component.replicas, key=lambda r: (not r.ready, r.name))],
            "user": name,
            "ledger_queue": f"{name}-ledger",
            "path_queue": f"{name}-path",
            **_as_clients_do(deployment, inventory, resource),
        }
        return proof.new_injection(
            self.kind,
            self.parameters(),
            [f"queue/{resource.name}/{name}"],
            recipe,
            by_hand=[
                f"in a pod of broker {resource.name}: rabbitmqctl delete_user {name}, and delete its queues {name}-*"
            ],
        )

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Add the user and give it its own queues."""
        user = proof.own_name(injection.recipe, "user")
        # All in one pod: what was sent to another as well, and lost, might be done after it was undone.
        pod = [_answering(deployment, injection)]
        _ctl_any(deployment, injection, ["add_user", user], stdin=f"{self.password.reveal()}\n", pods=pod)
        own = f"^{user}-.*"
        # Publishing goes through the default exchange, whose name is empty; permissions know it as amq.default.
        write = rf"^amq\.default$|{own}"
        allowed = ["set_permissions", "-p", str(injection.recipe["vhost"]), user, own, write, own]
        _ctl_any(deployment, injection, allowed, pods=pod)

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether the user is there."""
        user = injection.recipe["user"]
        return Look(user in _users(deployment, injection), {"user": user})

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Delete queues and user; absent is fine."""
        recipe = injection.recipe
        # Each command starts an Erlang machine, so the queues are not listed first.
        for key in ("ledger_queue", "path_queue"):
            queue = proof.own_name(recipe, key)
            _ctl_any(deployment, injection, ["delete_queue", "-p", str(recipe["vhost"]), queue], absent_ok=True)
        _ctl_any(deployment, injection, ["delete_user", proof.own_name(recipe, "user")], absent_ok=True)

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether neither user nor queues are there."""
        queues: list[Json] = [*_left(deployment, injection)]
        user = injection.recipe["user"] in _users(deployment, injection)
        return Look(not queues and not user, {"queues": queues, "user": user})

    def access(self, injection: Injection) -> QueueAccess:
        """Return how the broker's clients reach the queues."""
        recipe = injection.recipe
        port = recipe["port"]
        return QueueAccess(
            host=str(recipe["host"]),
            port=port if isinstance(port, int) else _PORT,
            encrypted=bool(recipe["encrypted"]),
            user=str(recipe["user"]),
            password=self.password,
            vhost=str(recipe["vhost"]),
            ledger_queue=str(recipe["ledger_queue"]),
            path_queue=str(recipe["path_queue"]),
            quorum=bool(recipe["quorum"]),
        )


def read_transport_url(url: str) -> dict[str, Json]:
    """Return host, port, virtual host and encryption of an oslo.messaging URL; never the credentials in it.

    With several hosts (``rabbit://u:p@a:5671,u:p@b:5671/``) the first one is taken.
    """
    parts = urlsplit(url)
    first = parts.netloc.split(",")[0].rpartition("@")[2]
    host, _, port = first.rpartition(":")
    encrypted = parse_qs(parts.query).get("ssl", ["0"])[0].lower() in ("1", "true")
    if not host or not port.isdigit():
        raise Unreachable("the transport URL in the secret has no host and port")
    return {
        "host": host,
        "port": int(port),
        "encrypted": encrypted,
        # An URL without a path means the virtual host "/" to oslo.messaging's users of RabbitMQ.
        "vhost": unquote(parts.path.removeprefix("/")) or "/",
    }


def _as_clients_do(deployment: Deployment, inventory: Inventory, resource: Resource) -> dict[str, Json]:
    """Return host, port, vhost, encryption and queue type: from a TransportURL, else from the broker itself."""
    for url in sorted(inventory.of_kind("TransportURL"), key=lambda r: r.name):
        manifest = deployment.kube.get("TransportURL", url.name, namespace=url.namespace) or {}
        secret = (manifest.get("status") or {}).get("secretName")
        if secret and (manifest.get("spec") or {}).get("rabbitmqClusterName") == resource.name:
            read = read_transport_url(deployment.kube.secret(secret, "transport_url", namespace=url.namespace).reveal())
            return {**read, "quorum": _says_quorum(deployment, secret, url.namespace)}
    manifest = deployment.kube.get(resource.kind, resource.name, namespace=resource.namespace) or {}
    said = (manifest.get("status") or {}).get("queueType") or (manifest.get("spec") or {}).get("queueType") or ""
    encrypted = bool(((manifest.get("spec") or {}).get("tls") or {}).get("secretName"))
    return {
        "host": f"{resource.name}.{resource.namespace}.svc",
        "port": _PORT_TLS if encrypted else _PORT,
        "encrypted": encrypted,
        "vhost": "/",
        "quorum": str(said).lower() == "quorum",
    }


def _says_quorum(deployment: Deployment, secret: str, namespace: str) -> bool:
    """Tell whether the Secret asks for quorum queues; one without the key asks for none (releases before Quorum)."""
    manifest = deployment.kube.get("Secret", secret, namespace=namespace) or {}
    if "quorumqueues" not in (manifest.get("data") or {}):
        return False
    return deployment.kube.public_part(secret, "quorumqueues", namespace=namespace).strip().lower() == "true"


def _ctl_any(
    deployment: Deployment,
    injection: Injection,
    arguments: Sequence[str],
    *,
    stdin: str | None = None,
    absent_ok: bool = False,
    pods: Sequence[str] = (),
) -> None:
    """Run one ``rabbitmqctl`` command that gives no answer, in the first broker pod that can (of these, or of all)."""
    namespace = str(injection.recipe["namespace"])
    refusal = Unreachable("the recipe names no broker pod")
    for pod in pods or _pods(injection):
        try:
            answer = deployment.kube.exec(
                pod,
                ["rabbitmqctl", "--quiet", *arguments],
                namespace=namespace,
                container=rabbitmq.CONTAINER,
                stdin=stdin,
                timeout_s=30,
            )
        except Unreachable as problem:
            refusal = problem
            continue
        said = " ".join((answer.stderr or answer.stdout).split())
        if answer.status == 0 or (absent_ok and any(word in said.lower() for word in _ABSENT)):
            return
        refusal = Unreachable(
            f"rabbitmqctl {arguments[0]} in {namespace}/{pod} ended with {answer.status}: {cut(said, 200)}"
        )
    raise refusal


def _ask_any(deployment: Deployment, injection: Injection, arguments: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows that one ``rabbitmqctl`` command lists, asked in the first broker pod that can."""
    return _asked(deployment, injection, arguments)[1]


def _answering(deployment: Deployment, injection: Injection) -> str:
    return _asked(deployment, injection, ["list_users"])[0]


def _asked(deployment: Deployment, injection: Injection, arguments: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    """Return the first broker pod that answers, and what it lists."""
    namespace = str(injection.recipe["namespace"])
    refusal = Unreachable("the recipe names no broker pod")
    for pod in _pods(injection):
        try:
            rows = rabbitmq.ctl(deployment.kube, pod, arguments, namespace=namespace, timeout_s=60)
        except Unreachable as problem:
            refusal = problem
        else:
            return pod, [dict(row) for row in rows]
    raise refusal


def _users(deployment: Deployment, injection: Injection) -> list[str]:
    return [str(row["user"]) for row in _ask_any(deployment, injection, ["list_users"])]


def _left(deployment: Deployment, injection: Injection) -> list[str]:
    rows = _ask_any(deployment, injection, ["list_queues", "-p", str(injection.recipe["vhost"]), "name"])
    own = [proof.own_name(injection.recipe, key) for key in ("ledger_queue", "path_queue")]
    return [str(row["name"]) for row in rows if row["name"] in own]


def _pods(injection: Injection) -> list[str]:
    pods = injection.recipe["pods"]
    return [str(pod) for pod in pods] if isinstance(pods, list) else []


def _resource(inventory: Inventory, name: str) -> Resource:
    found = [resource for kind in _KINDS for resource in inventory.of_kind(kind)]
    ordered = sorted(found, key=lambda r: (_component(inventory, r).cell is not None, r.name))
    return next(resource for resource in ordered if not name or resource.name == name)


def _component(inventory: Inventory, resource: Resource) -> Component:
    for component in inventory.of_role(Role.BROKER):
        if any(owner.uid == resource.uid for owner in component.owners):
            return component
    raise Unreachable(f"no workload of {resource.subject} was found")
