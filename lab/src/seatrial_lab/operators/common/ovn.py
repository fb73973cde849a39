"""Where OVN's databases are to be found, for the services that use them."""

from __future__ import annotations

from seatrial_lab.operators.common.reconciler import NotYet, Round
from seatrial_lab.operators.common.resources import OVN_DB_CLUSTER, Json


async def database(this: Round, side: str, *, condition: str = "InputReady") -> Json:
    """The OVNDBCluster of a side (NB or SB), once its status has addresses; NotYet while there is none."""
    for cluster in await this.list(OVN_DB_CLUSTER, {}):
        if cluster["spec"]["dbType"] == side and (cluster.get("status") or {}).get("internalDbAddress"):
            return cluster
    raise NotYet(condition, f"there is no OVNDBCluster of type {side} with servers")


def inside(cluster: Json) -> str:
    """Where a database is to be found from within the cluster: its servers, comma-separated."""
    return str(cluster["status"]["internalDbAddress"])


def outside(cluster: Json) -> str:
    """Where a database is to be found from compute nodes; without a network for them, as from within the cluster."""
    return str(cluster["status"].get("dbAddress") or inside(cluster))
