"""What a service hears and remembers through: the message bus and the cache, which the infra operator makes."""

from __future__ import annotations

from dataclasses import dataclass, field

from seatrial_lab.operators.common.conditions import is_ready, said
from seatrial_lab.operators.common.reconciler import NotYet, Round
from seatrial_lab.operators.common.resources import MEMCACHED, SECRET, TRANSPORT_URL
from seatrial_lab.operators.common.secrets import plain


@dataclass(frozen=True, slots=True)
class Transport:
    """A message bus."""

    url: str = field(repr=False)
    quorum_queues: bool


async def transport(
    this: Round, name: str, *, cluster: str, condition: str = "RabbitMqTransportURLReady", status: str | None = None
) -> Transport:
    """See to the TransportURL of that name, and return what is in its Secret; NotYet while it has none.

    `status` names the field of the resource's status that tells the Secret.
    """
    live = await this.apply(
        {
            "apiVersion": TRANSPORT_URL.api_version,
            "kind": TRANSPORT_URL.kind,
            "metadata": {"name": name},
            "spec": {"rabbitmqClusterName": cluster},
        }
    )
    secret_name = (live.get("status") or {}).get("secretName")
    found = await this.get(SECRET, secret_name) if secret_name else None
    if found is None:
        raise NotYet(condition, f"TransportURL {name} has no Secret yet: {said(live)}")
    if status:
        this.status[status] = secret_name
    if is_ready(live):
        this.conditions.true(condition, f"TransportURL {name} is ready")
    else:
        this.conditions.waiting(condition, f"TransportURL {name} is not ready")
    values = plain(found)
    return Transport(values["transport_url"], values.get("quorumqueues") == "true")


async def caches(this: Round, name: str = "memcached") -> list[str]:
    """The servers of a Memcached, in which tokens and other things are cached."""
    memcached = await this.get(MEMCACHED, name)
    servers = ((memcached or {}).get("status") or {}).get("serverList")
    if servers is None:
        raise NotYet("MemcachedReady", f"Memcached {name} has no servers yet")
    if is_ready(memcached):
        this.conditions.true("MemcachedReady", f"Memcached {name} is ready")
    else:
        this.conditions.waiting("MemcachedReady", f"Memcached {name} is not ready")
    return [str(server) for server in servers]
