"""What an operator says of its pods' secondary networks."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from seatrial_lab.operators.common import attachments
from seatrial_lab.operators.common.conditions import Conditions
from seatrial_lab.operators.common.kube import Kube
from seatrial_lab.operators.common.reconciler import NotYet, Round
from seatrial_lab.operators.common.resources import POD, Json, Resource

LABELS = {"service": "glance"}


class Api:
    """One network, and pods."""

    def __init__(self, *pods: Json) -> None:
        self.pods = list(pods)

    async def get(self, resource: Resource, name: str, **_: object) -> Json | None:
        return {"metadata": {"name": name}} if name == "storage" else None

    async def list(self, resource: Resource, **_: object) -> list[Json]:
        assert resource is POD
        return self.pods


def pod(*ips: str, ready: str = "True", **meta: Any) -> Json:
    written = [{"name": "cluster", "ips": ["10.128.0.9"]}, {"name": "cloud/storage", "ips": list(ips)}]
    annotations = {"k8s.v1.cni.cncf.io/network-status": json.dumps(written)}
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    return {"metadata": {"annotations": annotations, **meta}, "status": status}


def a_round(*pods: Json) -> Round:
    cr = {"metadata": {"name": "glance", "namespace": "cloud"}}
    return Round(cast("Kube", Api(*pods)), cr, Conditions([attachments.CONDITION]), {})


def test_the_addresses_of_ready_pods_are_told() -> None:
    """Pods that are not ready, or on their way out, tell nothing."""
    this = a_round(pod("172.18.0.31"), pod("172.18.0.30"), pod(ready="False"), pod(deletionTimestamp="now"))
    asyncio.run(attachments.attached(this, ["storage"], LABELS, wanted=2))
    assert this.status["networkAttachments"] == {"cloud/storage": ["172.18.0.30", "172.18.0.31"]}
    assert this.conditions.all_true()


def test_without_networks_there_is_nothing_to_wait_for() -> None:
    """The condition is true and the status empty."""
    this = a_round()
    asyncio.run(attachments.attached(this, [], LABELS, wanted=2))
    assert this.conditions.all_true()
    assert this.status["networkAttachments"] == {}


@pytest.mark.parametrize(("pods", "severity"), [([], "Info"), ([pod("172.18.0.30"), pod()], "Error")])
def test_a_pod_without_its_address_is_told(pods: list[Json], severity: str) -> None:
    """No pod yet is a matter of time; a ready pod without an address is an error."""
    with pytest.raises(NotYet) as wait:
        asyncio.run(attachments.attached(a_round(*pods), ["storage"], LABELS, wanted=2))
    assert wait.value.severity == severity


def test_a_missing_network_is_named() -> None:
    """So that whoever reads the condition knows what to make."""
    with pytest.raises(NotYet, match=r"missing: tenant$"):
        asyncio.run(attachments.required(a_round(), ["storage", "tenant"]))
