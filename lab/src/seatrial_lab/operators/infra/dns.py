"""DNSMasq and DNSData: the name server of machines outside the cluster, and the names that it knows.

Inside the cluster the same names lead to ClusterIPs; compute nodes are told the load balancers' addresses instead
(rhoso-topology, section 3.2). New names reach a running server: it is never restarted for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from seatrial_lab.operators.common.exposure import DNS_NAME
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import EVERY, Controller, Key, NotYet, Round, Watch
from seatrial_lab.operators.common.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    DNS_DATA,
    DNS_MASQ,
    POD,
    SERVICE,
    Json,
)
from seatrial_lab.operators.common.secrets import config_map
from seatrial_lab.operators.common.workloads import IMAGE, Runs, count, deployed, workload

TEMPLATES: Final = Path(__file__).parent / "templates"
LABEL: Final = "dnsmasqhosts"
"""The label of ConfigMaps with hosts; its value tells for which server."""
HOSTS_HASH: Final = "dnsmasq.network.openstack.org/hosts"
PORT, TARGET_PORT = 53, 5353
DNSMASQ_UID: Final = 42498
SELECTOR: Final = {"service": "dnsmasq"}
MOUNTS: Final = (
    {"name": "config", "mountPath": "/etc/dnsmasq.d", "readOnly": True},
    {"name": "hosts", "mountPath": "/etc/dnsmasq.hosts", "readOnly": True},
)
OPTIONS: Final = (
    "--conf-dir=/etc/dnsmasq.d",
    "--addn-hosts=/etc/dnsmasq.hosts",
    "--keep-in-foreground",
    "--pid-file",
    "--bind-interfaces",
    "--listen-address=$(POD_IP)",
    f"--port={TARGET_PORT}",
    "--log-facility=-",
    "--no-hosts",
    "--domain-needed",
    "--no-resolv",
    "--bogus-priv",
)


def hosts_of(services: Sequence[Json]) -> list[Json]:
    """Return the names of all load balancers that are to be known outside, by address."""
    names: dict[str, set[str]] = {}
    for service in services:
        name = (service["metadata"].get("annotations") or {}).get(DNS_NAME)
        if name and service["spec"].get("type") == "LoadBalancer":
            for given in ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
                names.setdefault(given["ip"], set()).add(name)
    return [{"ip": address, "hostnames": sorted(names[address])} for address in sorted(names)]


def config_of(options: Sequence[Json]) -> str:
    """Return the server's configuration file.

    Whom nobody answers for is answered for here: with a refusal, which is all that an IPv6 address of a name with an
    IPv4 one would get otherwise, resolvers do not put up.
    """
    alone = all(option["key"] != "server" for option in options)
    lines = [f"local=/{'#' if alone else 'svc'}/", *(f"{o['key']}={','.join(o['values'])}" for o in options)]
    return "".join(f"{line}\n" for line in lines)


async def reconcile_data(this: Round) -> None:
    """Write the names as a hosts file into a ConfigMap."""
    lines = [f"{host['ip']} {' '.join(sorted(host['hostnames']))}\n" for host in this.spec.get("hosts") or ()]
    value = str(this.spec.get("dnsDataLabelSelectorValue", "dnsdata"))
    text = "".join(lines)
    await this.apply(config_map(this.name.lower(), {LABEL: value, **SELECTOR}, {this.name: text}))
    this.status["hash"] = hash_of(text)
    this.conditions.true("ServiceConfigReady", "Input data complete")


async def reconcile(this: Round) -> None:
    """Bring a name server to what its resource asks for, and its names to what there is to know."""
    value = str(this.spec.get("dnsDataLabelSelectorValue", "dnsdata"))
    hosts = hosts_of(await this.list(SERVICE, {}))
    await this.apply(
        {
            "apiVersion": DNS_DATA.api_version,
            "kind": DNS_DATA.kind,
            "metadata": {"name": f"{this.name}-svc"},
            "spec": {"dnsDataLabelSelectorValue": value, "hosts": hosts},
        }
    )
    known = {
        m["metadata"]["name"]: "".join((m.get("data") or {}).values())
        for m in await this.list(CONFIG_MAP, {LABEL: value})
    }
    this.conditions.true("InputReady", "Input data complete")
    config = config_of(this.spec.get("options") or ())
    await this.apply(config_map(this.name, dict(SELECTOR), {this.name: config}))
    await this.apply(config_map(f"{this.name}-hosts", dict(SELECTOR), known))
    this.status["hash"] = {"config": hash_of(config), "hosts": hash_of(known)}
    this.conditions.true("ServiceConfigReady", "Configuration written")
    await _service(this)
    deployment = await this.apply(_deployment(this, hash_of(config)))
    await _tell(this, hash_of(known))
    count(this, deployment)
    deployed(this, deployment)


async def _service(this: Round) -> None:
    override = (this.spec.get("override") or {}).get("service") or {}
    meta, spec = override.get("metadata") or {}, override.get("spec") or {}
    ports = [
        {"name": name, "protocol": protocol, "port": PORT, "targetPort": TARGET_PORT}
        for name, protocol in (("dnsmasq", "UDP"), ("dnsmasq-tcp", "TCP"))
    ]
    live = await this.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": f"dnsmasq-{this.name}",
                "labels": {**(meta.get("labels") or {}), **SELECTOR},
                "annotations": meta.get("annotations") or {},
            },
            "spec": {"type": "ClusterIP", **spec, "selector": SELECTOR, "ports": ports},
        }
    )
    given = ((live.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    this.status["dnsAddresses"] = [one["ip"] for one in given]
    this.status["dnsClusterAddresses"] = live["spec"].get("clusterIPs") or []
    if live["spec"]["type"] == "LoadBalancer" and not given:
        raise NotYet("CreateServiceReady", f"{live['metadata']['name']} has no address yet", look_again_s=2)
    this.conditions.true("CreateServiceReady", "Service exists")


def _deployment(this: Round, config_hash: str) -> Json:
    runs = Runs(
        account="default",
        labels=SELECTOR,
        uid=DNSMASQ_UID,
        image=str(this.spec.get("containerImage", IMAGE)),
        node_selector=this.spec.get("nodeSelector") or {},
        volumes=(
            {"name": "config", "configMap": {"name": this.name}},
            {"name": "hosts", "configMap": {"name": f"{this.name}-hosts"}},
        ),
        mounts=MOUNTS,
    )
    env = [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    script = (TEMPLATES / "dnsmasq.sh").read_text()
    look = {"tcpSocket": {"port": TARGET_PORT}, "timeoutSeconds": 5}
    server: Json = {
        "name": "dnsmasq-dns",
        "command": ["catatonit", "--", "bash", "-c", script, "dnsmasq.sh", *OPTIONS],
        "env": env,
        "ports": [
            {"name": "dns", "containerPort": TARGET_PORT, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": TARGET_PORT, "protocol": "TCP"},
        ],
        "readinessProbe": {**look, "periodSeconds": 5},
        "livenessProbe": {**look, "periodSeconds": 20, "initialDelaySeconds": 3},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    }
    test: Json = {
        "name": "init",
        "image": runs.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["catatonit", "--", "dnsmasq", *OPTIONS, "--test"],
        "env": env,
        "volumeMounts": list(MOUNTS),
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    }
    return workload(
        "Deployment",
        f"dnsmasq-{this.name}",
        runs,
        replicas=int(this.spec.get("replicas", 1)),
        config_hash=config_hash,
        containers=[server],
        initContainers=[test],
    )


async def _tell(this: Round, stamp: str) -> None:
    """Touch the pods of a server whose names have changed: a kubelet then renews their volumes at once."""
    for pod in await this.list(POD, SELECTOR):
        if (pod["metadata"].get("annotations") or {}).get(HOSTS_HASH) != stamp:
            told = {"metadata": {"annotations": {HOSTS_HASH: stamp}}}
            await this.kube.patch(POD, pod["metadata"]["name"], told, namespace=this.namespace)


def _labelled(config_map: Json) -> Iterable[Key]:
    if LABEL in (config_map["metadata"].get("labels") or {}):
        yield config_map["metadata"]["namespace"], EVERY


def _named(service: Json) -> Iterable[Key]:
    if DNS_NAME in (service["metadata"].get("annotations") or {}):
        yield service["metadata"]["namespace"], EVERY


DNS_DATA_CONTROLLER: Final = Controller(
    resource=DNS_DATA,
    reconcile=reconcile_data,
    conditions=("ServiceConfigReady",),
    owns=(CONFIG_MAP,),
)
DNS_MASQ_CONTROLLER: Final = Controller(
    resource=DNS_MASQ,
    reconcile=reconcile,
    conditions=("InputReady", "ServiceConfigReady", "CreateServiceReady", "DeploymentReady"),
    owns=(DEPLOYMENT, SERVICE, CONFIG_MAP, DNS_DATA),
    watches=(Watch(CONFIG_MAP, _labelled), Watch(SERVICE, _named)),
)
