"""IPSet: addresses for one machine on several networks, given out of a NetConfig and held by a Reservation."""

from __future__ import annotations

import asyncio
from typing import Final

from seatrial_lab.operators.common.reconciler import Controller, NotYet, Round, Watch, everyone
from seatrial_lab.operators.common.resources import IP_SET, NET_CONFIG, RESERVATION, Json
from seatrial_lab.operators.infra.addresses import NoAddress, allocate, find, reservation

INPUT, RESERVED = "InputReady", "ReservationReady"
CTLPLANE: Final = "ctlplane"
_one_at_a_time = asyncio.Lock()
"""Between looking what is taken and taking it nobody else may do so; there is only one of this operator."""


async def reconcile(this: Round) -> None:
    """Give the machine its addresses, those that it has already if they can stay."""
    configs = await this.list(NET_CONFIG, {})
    if not configs:
        raise NotYet(INPUT, f"there is no NetConfig in namespace {this.namespace}", severity="Error")
    asked = this.spec["networks"]
    try:
        parts = [find(configs[0], one["name"], one["subnetName"]) for one in asked]
    except NoAddress as problem:
        raise NotYet(INPUT, str(problem), severity="Error") from None
    this.conditions.true(INPUT, "Input data complete")
    async with _one_at_a_time:
        given = await _reserve(this, parts)
    told = [
        reservation(one, network, subnet, given[network["name"]])
        for one, (network, subnet) in zip(asked, parts, strict=True)
    ]
    this.status["reservations"] = sorted(told, key=lambda one: one["network"].lower() != CTLPLANE)
    this.conditions.true(RESERVED, "Reservation successful")


async def _reserve(this: Round, parts: list[tuple[Json, Json]]) -> dict[str, str]:
    """Find an address on each network and write them down; all of them or none."""
    held = {r["metadata"]["name"]: r["spec"]["reservation"] for r in await this.list(RESERVATION, {})}
    own = held.pop(this.name, {})
    taken = {entry["address"] for entries in held.values() for entry in entries.values()}
    given = {}
    for asked, (network, subnet) in zip(this.spec["networks"], parts, strict=True):
        name, fixed = network["name"], asked.get("fixedIP", "")
        kept = own.get(name, {}).get("address", "") if own.get(name, {}).get("subnet") == subnet["name"] else ""
        try:
            given[name] = allocate(subnet, taken, fixed=fixed, kept=kept)
        except NoAddress as problem:
            raise NotYet(RESERVED, f"network {name}: {problem}", severity="Error") from None
    await this.apply(
        {
            "apiVersion": RESERVATION.api_version,
            "kind": RESERVATION.kind,
            "metadata": {
                "name": this.name,
                "labels": {f"ipam/{network['name']}": subnet["name"] for network, subnet in parts},
            },
            "spec": {
                "ipSetRef": {"name": this.name, "namespace": this.namespace, "uid": this.cr["metadata"]["uid"]},
                "reservation": {
                    network["name"]: {
                        "network": network["name"],
                        "subnet": subnet["name"],
                        "address": given[network["name"]],
                    }
                    for network, subnet in parts
                },
            },
        }
    )
    return given


IP_SET_CONTROLLER: Final = Controller(
    resource=IP_SET,
    reconcile=reconcile,
    conditions=(INPUT, RESERVED),
    owns=(RESERVATION,),
    watches=(Watch(NET_CONFIG, everyone),),
)
