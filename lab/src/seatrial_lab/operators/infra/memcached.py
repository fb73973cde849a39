"""Memcached: caches as a StatefulSet; clients get the list of servers and spread their keys themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from seatrial_lab.operators.common.reconciler import Controller, NotYet, Round
from seatrial_lab.operators.common.resources import MEMCACHED, SERVICE, STATEFUL_SET
from seatrial_lab.operators.common.templates import render

TEMPLATES: Final = Path(__file__).parent / "templates"
IMAGE: Final = "lab.local/base:1"
PORT: Final = 11211
MEMCACHED_UID: Final = 42457  # kolla's number for memcached
MEGABYTES: Final = 64


async def reconcile(this: Round) -> None:
    """Bring the caches to what their resource asks for."""
    spec = this.spec
    replicas = int(spec.get("replicas", 1))
    this.conditions.true("InputReady", "Input complete")
    labels = {
        "app": "memcached",
        "service": "memcached",
        "cr": this.name,
        "memcached/name": this.name,
        "owner": "infra-operator",
    }
    service, stateful_set = await this.apply_all(
        render(
            TEMPLATES,
            "memcached.yaml.j2",
            name=this.name,
            replicas=replicas,
            labels=labels,
            selector={"app": "memcached", "cr": this.name, "owner": "infra-operator"},
            node_selector=spec.get("nodeSelector") or {},
            image=spec.get("containerImage", IMAGE),
            uid=MEMCACHED_UID,
            megabytes=MEGABYTES,
        )
    )
    this.conditions.true("CreateServiceReady", f"Service {service['metadata']['name']} exists")
    hosts = [f"{this.name}-{n}.{this.name}.{this.namespace}.svc" for n in range(replicas)]
    this.status["serverList"] = [f"{host}:{PORT}" for host in hosts]
    this.status["serverListWithInet"] = [f"inet:[{host}]:{PORT}" for host in hosts]
    this.status["tlsSupport"] = False
    live = stateful_set.get("status") or {}
    ready = int(live.get("readyReplicas") or 0)
    this.status["readyCount"] = ready
    if live.get("observedGeneration") != stateful_set["metadata"]["generation"] or ready != replicas:
        raise NotYet("DeploymentReady", f"{ready} of {replicas} caches are ready")
    this.conditions.true("DeploymentReady", f"{ready} caches are ready")


MEMCACHED_CONTROLLER: Final = Controller(
    resource=MEMCACHED,
    reconcile=reconcile,
    conditions=("InputReady", "CreateServiceReady", "DeploymentReady"),
    owns=(STATEFUL_SET, SERVICE),
)
