"""TransportURL: the address and credentials of a broker cluster, as a Secret that a service can use as it stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from seatrial_lab.operators.common.reconciler import EVERY, Controller, Key, NotYet, Round, Watch, everyone
from seatrial_lab.operators.common.resources import RABBITMQ, SECRET, TRANSPORT_URL, Json
from seatrial_lab.operators.common.secrets import plain, secret

READY: Final = "TransportURLReady"
VHOST: Final = "/"
_LOGIN_SUFFIX: Final = "-default-user"


async def reconcile(this: Round) -> None:
    """Write the Secret `rabbitmq-transport-url-<name>`; the URL is valid from then on, whoever is up at the moment."""
    cluster = str(this.spec["rabbitmqClusterName"])
    broker, user = await this.get(RABBITMQ, cluster), await this.get(SECRET, f"{cluster}{_LOGIN_SUFFIX}")
    if broker is None:
        raise NotYet(READY, f"there is no RabbitMq {cluster}")
    if user is None:
        raise NotYet(READY, f"RabbitMq {cluster} has no user yet")
    queue_type = str((broker.get("spec") or {}).get("queueType", "Quorum"))
    login = plain(user)
    data = {"transport_url": url_of(login), "quorumqueues": "true" if queue_type == "Quorum" else "false"}
    name = f"rabbitmq-transport-url-{this.name}"
    await this.apply(secret(name, {"rabbitmq.openstack.org/cluster": cluster}, data))
    this.status.update(
        secretName=name,
        queueType=queue_type,
        rabbitmqClusterName=cluster,
        rabbitmqUsername=login["username"],
        rabbitmqVhost=VHOST,
    )
    this.conditions.true(READY, f"Secret {name} holds the URL")


def url_of(login: dict[str, str]) -> str:
    """The URL as oslo.messaging reads it."""
    user, password = quote(login["username"], safe=""), quote(login["password"], safe="")
    return f"rabbit://{user}:{password}@{login['host']}:{login['port']}{VHOST}?ssl=0"


def _logins(found: Json) -> Iterable[Key]:
    if found["metadata"]["name"].endswith(_LOGIN_SUFFIX):
        yield found["metadata"]["namespace"], EVERY


TRANSPORT_URL_CONTROLLER: Final = Controller(
    resource=TRANSPORT_URL,
    reconcile=reconcile,
    conditions=(READY,),
    owns=(SECRET,),
    watches=(Watch(RABBITMQ, everyone), Watch(SECRET, _logins)),
)
