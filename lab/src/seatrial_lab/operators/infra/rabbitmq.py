"""RabbitMq: a cluster of brokers as a StatefulSet, with its Services, secrets and configuration.

The shape is that of RHOSO's infra-operator since FR6, which makes the StatefulSet itself (rhoso-topology, 4.2).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seatrial_lab.operators.common.exposure import DNS_NAME
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import Controller, NotYet, Round
from seatrial_lab.operators.common.resources import (
    CONFIG_MAP,
    POD,
    POD_DISRUPTION_BUDGET,
    RABBITMQ,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    Json,
)
from seatrial_lab.operators.common.secrets import secret
from seatrial_lab.operators.common.templates import render, render_text
from seatrial_lab.operators.infra import brokers
from seatrial_lab.operators.infra.brokers import Brokers

TEMPLATES: Final = Path(__file__).parent / "templates"
IMAGE: Final = "lab.local/base:1"
PORT: Final = 5672
BROKER_UID: Final = 42439  # kolla's number for rabbitmq; the machine's own would differ from machine to machine
MEMORY_MARK: Final = "400MB"
# Processor is not so much asked for as weighed: whoever starts beside a broker must not starve it.
RESOURCES: Final = {"requests": {"cpu": "200m", "memory": "160Mi"}}
# How long an orderly stop waits for queues to have a majority without this broker, and what the pod is given in all.
# RHOSO waits ten minutes; that is also how long it then takes there to replace a StatefulSet that was deleted.
AWAIT_QUORUM_S: Final = 20
FILES: Final = 4096
"""How many files, connections among them, a broker may have open."""
GRACE_S: Final = 35
LOOK_AGAIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one RabbitMq resource asks for, with defaults filled in."""

    name: str
    namespace: str
    replicas: int
    queue_type: str
    spec: Json

    @classmethod
    def of(cls, this: Round) -> Wanted:
        """Read it from the resource of this round."""
        spec = this.spec
        return cls(
            this.name, this.namespace, int(spec.get("replicas", 1)), str(spec.get("queueType", "Quorum")), dict(spec)
        )

    @property
    def selector(self) -> dict[str, str]:
        """The labels by which brokers of this cluster are told from others."""
        return {"app.kubernetes.io/name": self.name}

    @property
    def labels(self) -> dict[str, str]:
        """The labels of all that belongs to it."""
        return {
            **self.selector,
            "app.kubernetes.io/component": "rabbitmq",
            "app.kubernetes.io/part-of": "rabbitmq",
        }

    @property
    def nodes(self) -> list[str]:
        """The Erlang names of its members."""
        return [
            f"rabbit@{self.name}-server-{n}.{self.name}-nodes.{self.namespace}" for n in range(max(self.replicas, 1))
        ]


async def reconcile(this: Round) -> None:
    """Bring a broker cluster to what its resource asks for."""
    wanted = Wanted.of(this)
    this.conditions.true("TLSInputReady", "TLS is off")
    this.status["queueType"] = wanted.queue_type
    this.status["defaultUser"] = {
        "secretReference": {"name": f"{this.name}-default-user", "namespace": this.namespace},
        "serviceReference": {"name": this.name, "namespace": this.namespace},
    }
    await _secrets(this, wanted)
    manifests = _manifests(wanted, _storage(wanted, await this.get(STATEFUL_SET, f"{this.name}-server")))
    await this.apply_all(m for m in manifests if m["kind"] == "ConfigMap")
    this.conditions.true("ServiceConfigReady", "Configuration written")
    await this.apply_all(m for m in manifests if m["kind"] == "Service")
    this.conditions.true("CreateServiceReady", "Services exist")
    [stateful_set] = await this.apply_all(m for m in manifests if m["kind"] == "StatefulSet")
    await this.apply_all(m for m in manifests if m["kind"] == "PodDisruptionBudget")
    if wanted.replicas <= 1 and await this.get(POD_DISRUPTION_BUDGET, f"{this.name}-server"):
        await this.kube.delete(POD_DISRUPTION_BUDGET, f"{this.name}-server", namespace=this.namespace)
    this.conditions.true("PDBReady", "At most one broker may be taken away" if wanted.replicas > 1 else "Not needed")
    await _deployed(this, wanted, stateful_set)


async def _secrets(this: Round, wanted: Wanted) -> None:
    """The Erlang cookie and the first user: made once, and taken from a running broker should they get lost.

    A broker keeps both in its own volume: a new cookie or password would lock everybody out.
    """
    cookie, user = f"{this.name}-erlang-cookie", f"{this.name}-default-user"
    if await this.get(SECRET, cookie) is None:
        old = await brokers.recover_file(this, wanted.selector, "/var/lib/rabbitmq/.erlang.cookie")
        await this.create(secret(cookie, wanted.labels, {".erlang.cookie": old or secrets.token_urlsafe(24)}))
    if await this.get(SECRET, user) is None:
        old = await brokers.recover_file(this, wanted.selector, "/etc/rabbitmq/conf.d/11-default_user.conf")
        settings = dict(line.split(" = ", 1) for line in (old or "").splitlines() if " = " in line)
        username = settings.get("default_user", f"default_user_{this.name}")
        password = settings.get("default_pass", secrets.token_urlsafe(24))
        data = {
            "username": username,
            "password": password,
            "host": f"{this.name}.{this.namespace}.svc",
            "port": str(PORT),
            "default_user.conf": f"default_user = {username}\ndefault_pass = {password}\n",
        }
        await this.create(secret(user, wanted.labels, data))


def _storage(wanted: Wanted, live: Json | None) -> tuple[str, str]:
    """Size and class of each broker's volume. Those of a StatefulSet that exists can't be changed any more."""
    if live is not None:
        claim = live["spec"]["volumeClaimTemplates"][0]["spec"]
        return str(claim["resources"]["requests"]["storage"]), str(claim.get("storageClassName", ""))
    asked = wanted.spec.get("persistence") or {}
    return str(asked.get("storage", "1Gi")), str(asked.get("storageClassName", ""))


def _manifests(wanted: Wanted, storage: tuple[str, str]) -> list[Json]:
    spec = wanted.spec
    settings = spec.get("rabbitmq") or {}
    service = ((spec.get("override") or {}).get("service")) or {}
    service_meta: dict[str, Any] = service.get("metadata") or {}
    service_type = (service.get("spec") or {}).get("type", "ClusterIP")
    told = {DNS_NAME: f"{wanted.name}.{wanted.namespace}.svc"} if service_type == "LoadBalancer" else {}
    plugins = f"[{','.join(settings.get('additionalPlugins') or [])}].\n"
    user_conf = settings.get("additionalConfig") or ""
    # The list of members is left out of the hash: to add a broker restarts none of the others.
    conf = render_text(TEMPLATES, "rabbitmq.conf.j2", name=wanted.name, nodes=[], memory=MEMORY_MARK)
    return render(
        TEMPLATES,
        "rabbitmq.yaml.j2",
        name=wanted.name,
        namespace=wanted.namespace,
        replicas=wanted.replicas,
        labels=wanted.labels,
        selector=wanted.selector,
        plugins=plugins,
        server_conf=render_text(
            TEMPLATES, "rabbitmq.conf.j2", name=wanted.name, nodes=wanted.nodes, memory=MEMORY_MARK
        ),
        user_conf=user_conf,
        setup=(TEMPLATES / "setup.sh").read_text(),
        first=(TEMPLATES / "first.erl").read_text(),
        config_hash=hash_of([conf, user_conf, plugins]),
        service_labels={**wanted.labels, **(service_meta.get("labels") or {})},
        service_annotations={**told, **(service_meta.get("annotations") or {})},
        service_type=service_type,
        node_selector=spec.get("nodeSelector") or {},
        image=spec.get("containerImage", IMAGE),
        uid=BROKER_UID,
        grace_s=GRACE_S,
        await_s=AWAIT_QUORUM_S,
        files=FILES,
        resources=RESOURCES,
        storage=storage[0],
        storage_class=storage[1],
    )


async def _deployed(this: Round, wanted: Wanted, stateful_set: Json) -> None:
    """Say how many brokers serve; when all do, make sure once that they are one cluster."""
    live = stateful_set.get("status") or {}
    ready = int(live.get("readyReplicas") or 0)
    this.status["readyCount"] = ready
    current = live.get("observedGeneration") == stateful_set["metadata"]["generation"]
    rolled = live.get("currentRevision") == live.get("updateRevision")
    if not current or ready != wanted.replicas or int(live.get("replicas") or 0) != wanted.replicas:
        raise NotYet("DeploymentReady", f"{ready} of {wanted.replicas} brokers are ready", look_again_s=LOOK_AGAIN_S)
    if not rolled:
        raise NotYet("DeploymentReady", "Brokers are being replaced, one at a time", look_again_s=LOOK_AGAIN_S)
    if wanted.replicas:
        await _clustered(this, wanted)
    this.conditions.true("DeploymentReady", f"{ready} brokers are ready and one cluster")


async def _clustered(this: Round, wanted: Wanted) -> None:
    """Ask a broker who its peers are, whenever the set of running containers has changed since the last time."""
    pods = await this.list(POD, wanted.selector)
    seen = hash_of([wanted.queue_type, sorted(map(brokers.incarnation, pods))])
    known: dict[str, str] = dict(this.status.get("hash") or {})
    if known.get("cluster") == seen:
        return
    ask = Brokers(this.kube, this.namespace, f"{this.name}-server-0")
    membership = await ask.membership()
    nodes = set(wanted.nodes)
    if membership.running != nodes:
        apart = ", ".join(sorted(nodes ^ membership.running))
        raise NotYet("DeploymentReady", f"not in one cluster: {apart}", look_again_s=LOOK_AGAIN_S, severity="Warning")
    for gone in sorted(membership.members - nodes):
        await ask.forget(gone)
    before = int(known.get("members", wanted.replicas))
    for new in wanted.nodes[before:]:
        await ask.grow(new)
    await ask.mirror(wanted.queue_type == "Mirrored")
    this.status["currentVersion"] = membership.version
    this.status["hash"] = {"cluster": seen, "members": str(wanted.replicas)}


RABBITMQ_CONTROLLER: Final = Controller(
    resource=RABBITMQ,
    reconcile=reconcile,
    conditions=("TLSInputReady", "ServiceConfigReady", "CreateServiceReady", "PDBReady", "DeploymentReady"),
    owns=(STATEFUL_SET, SERVICE, CONFIG_MAP, SECRET, POD_DISRUPTION_BUDGET),
)
