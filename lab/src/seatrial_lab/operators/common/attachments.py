"""Secondary networks that the pods of a service are attached to: whether they exist, and what pods got there.

Definitions and annotation are those of Multus; what the status says of them is what RHOSO's operators say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from seatrial_lab.operators.common.conditions import pod_is_ready
from seatrial_lab.operators.common.reconciler import NotYet, Round
from seatrial_lab.operators.common.resources import NETWORK_ATTACHMENT, POD, Json
from seatrial_lab.operators.common.workloads import STATUS

CONDITION: Final = "NetworkAttachmentsReady"
"""Of resources whose pods may be attached; without any network it is true."""


async def required(this: Round, networks: Sequence[str]) -> None:
    """Before pods are made: NotYet names the NetworkAttachmentDefinitions that are missing."""
    missing = [name for name in networks if await this.get(NETWORK_ATTACHMENT, name) is None]
    if missing:
        message = f"NetworkAttachment resources missing: {', '.join(missing)}"
        raise NotYet(CONDITION, message, severity="Warning")


async def attached(this: Round, networks: Sequence[str], labels: Mapping[str, str], *, wanted: int) -> None:
    """Tell in `status.networkAttachments` the addresses of the ready pods; NotYet while one of them lacks some.

    `wanted` is how many pods there are to be: that none is ready is no fault if none should be.
    """
    pods = [pod for pod in await this.list(POD, labels) if pod_is_ready(pod)] if networks else []
    addresses = [_addresses(pod) for pod in pods]
    names = [f"{this.namespace}/{name}" for name in networks]
    this.status["networkAttachments"] = {
        name: sorted(address for each in addresses for address in each.get(name, ())) for name in names
    }
    if networks and wanted and not pods:
        raise NotYet(CONDITION, "no pod is ready yet")
    if any(not each.get(name) for each in addresses for name in names):
        message = f"not all pods have interfaces with ips as configured in NetworkAttachments: {', '.join(names)}"
        raise NotYet(CONDITION, message, severity="Error")
    this.conditions.true(CONDITION, "NetworkAttachments completed")


def _addresses(pod: Json) -> dict[str, list[str]]:
    """A pod's addresses by network, `<namespace>/<name>`, from what was written back when it was attached."""
    said = json.loads((pod["metadata"].get("annotations") or {}).get(STATUS) or "[]")
    return {str(network.get("name")): [str(ip) for ip in network.get("ips") or ()] for network in said}
