"""`OpenStackDataPlaneNodeSet`: addresses, names and an inventory for nodes that are there, and what became of them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from seatrial_lab.operators.common.conditions import is_ready
from seatrial_lab.operators.common.conditions import said as told
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import Controller, NotYet, Round, Watch, everyone
from seatrial_lab.operators.common.resources import (
    DATA_PLANE_DEPLOYMENT,
    DATA_PLANE_SERVICE,
    DNS_DATA,
    DNS_MASQ,
    IP_SET,
    NETWORK_ATTACHMENT,
    NODE_SET,
    SERVICE_ACCOUNT,
    Json,
)
from seatrial_lab.operators.common.secrets import required, secret
from seatrial_lab.operators.openstack.dataplane import inventory, sources
from seatrial_lab.operators.openstack.dataplane.inventory import Node, Resolver, Variables

INPUT, ACCOUNT, RESERVED = "InputReady", "ServiceAccountReady", "NodeSetIPReservationReady"
NAMED, SET_UP, DEPLOYED = "NodeSetDNSDataReady", "SetupReady", "DeploymentReady"
SHIPPED: Final = {
    document["metadata"]["name"]: document
    for document in yaml.safe_load_all((Path(__file__).parent / "services.yaml").read_text())
}
"""The services that come with the operator."""
KEY: Final = "ssh-privatekey"
LOOK_AGAIN_S: Final = 5.0


async def reconcile(this: Round) -> None:
    """One round for one NodeSet."""
    said = await _input(this)
    await this.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": this.name, "labels": _labels(this.name)}}
    )
    this.conditions.true(ACCOUNT, "ServiceAccount created")
    nodes = await _reserve(this)
    resolver = await _announce(this, nodes)
    this.status["allHostnames"] = inventory.host_names(nodes)
    this.status["allIPs"] = inventory.addresses(nodes)
    this.status["ctlplaneSearchDomain"] = inventory.search_domain(nodes)
    this.status["dnsClusterAddresses"] = list(resolver.cluster_addresses)
    await _write(this, inventory.inventory(this.name, this.spec, nodes, resolver, said))
    this.conditions.true(SET_UP, "Setup complete")
    _deployments(this, await this.list(DATA_PLANE_DEPLOYMENT, {}))


def inventory_secret(node_set: str) -> str:
    """The Secret that a NodeSet's inventory is in."""
    return f"dataplanenodeset-{node_set}"


def _labels(name: str) -> dict[str, str]:
    return {"openstackdataplanenodeset": name}


async def _input(this: Round) -> Variables:
    """All that the NodeSet refers to; NotYet names what is missing."""
    template = this.spec["nodeTemplate"]
    key = str(template["ansibleSSHPrivateKeySecret"])
    values = await required(this, key, KEY)
    this.status["secretHashes"], this.status["configMapHashes"] = {key: hash_of(values)}, {}
    for name in this.spec.get("services") or ():
        await _service(this, name)
    for name in this.spec.get("networkAttachments") or ():
        if await this.get(NETWORK_ATTACHMENT, name) is None:
            raise NotYet(INPUT, f"NetworkAttachmentDefinition {name} is missing", severity="Warning")
    nodes: dict[str, Json] = this.spec["nodes"]
    hosts = [node["hostName"] for node in nodes.values()]
    if double := {host for host in hosts if hosts.count(host) > 1}:
        raise NotYet(INPUT, f"hostName given to more than one node: {', '.join(sorted(double))}", severity="Error")
    said = Variables(
        {name: await _variables(this, node) for name, node in nodes.items()}, await _variables(this, template)
    )
    this.conditions.true(INPUT, "Input data complete")
    return said


async def _service(this: Round, name: str) -> None:
    """See to it that a service exists: one of those that come with the operator is made once and then left alone."""
    if await this.get(DATA_PLANE_SERVICE, name) is not None:
        return
    if name not in SHIPPED:
        raise NotYet(INPUT, f"OpenStackDataPlaneService {name} is missing", severity="Warning")
    meta = {**SHIPPED[name]["metadata"], "namespace": this.namespace}
    await this.kube.create({**SHIPPED[name], "metadata": meta})


async def _variables(this: Round, part: Json) -> Json:
    """What a node, or the template of all, says to Ansible."""
    ansible = part.get("ansible") or {}
    found: Json = {}
    for reference in ansible.get("ansibleVarsFrom") or ():
        for source in await sources.read(this, [reference]):
            if source.is_missing:
                raise NotYet(INPUT, f"{source} is missing", severity="Warning")
            field = "secretHashes" if source.resource.kind == "Secret" else "configMapHashes"
            this.status[field] = {**this.status[field], source.name: source.fingerprint}
            found |= {f"{reference.get('prefix', '')}{key}": value for key, value in source.values.items()}
    return {**found, **(ansible.get("ansibleVars") or {})}


async def _reserve(this: Round) -> list[Node]:
    """An IPSet for each node, named like its host; NotYet until all have their addresses."""
    specs: dict[str, Json] = this.spec["nodes"]
    await this.prune(IP_SET, {str(node["hostName"]) for node in specs.values()})
    nodes, waiting = [], []
    for name, spec in specs.items():
        live = await this.apply(
            {
                "apiVersion": IP_SET.api_version,
                "kind": IP_SET.kind,
                "metadata": {"name": spec["hostName"], "labels": _labels(this.name)},
                "spec": {"immutable": False, "networks": inventory.networks_of(this.spec, spec)},
            }
        )
        nodes.append(Node(name, spec, tuple((live.get("status") or {}).get("reservations") or ())))
        if not is_ready(live):
            waiting.append(f"IPSet {spec['hostName']}: {told(live)}")
    if waiting:
        raise NotYet(RESERVED, "; ".join(waiting))
    this.conditions.true(RESERVED, "NodeSetIPReservationReady ready")
    return nodes


async def _announce(this: Round, nodes: list[Node]) -> Resolver:
    """The nodes' names in DNS, and who serves it; NotYet until both are known."""
    live = await this.apply(
        {
            "apiVersion": DNS_DATA.api_version,
            "kind": DNS_DATA.kind,
            "metadata": {"name": this.name, "labels": _labels(this.name)},
            "spec": {"dnsDataLabelSelectorValue": "dnsdata", "hosts": inventory.dns_hosts(nodes)},
        }
    )
    if not is_ready(live):
        raise NotYet(NAMED, f"DNSData {this.name}: {told(live)}", look_again_s=LOOK_AGAIN_S)
    servers = [server.get("status") or {} for server in await this.list(DNS_MASQ, {})]
    found = [str(address) for server in servers for address in server.get("dnsAddresses") or ()]
    within = [str(address) for server in servers for address in server.get("dnsClusterAddresses") or ()]
    if servers and not found:
        raise NotYet(NAMED, "DNSMasq has no address yet", look_again_s=LOOK_AGAIN_S)
    this.conditions.true(NAMED, "NodeSetDNSDataReady ready")
    return Resolver(tuple(found), tuple(within))


async def _write(this: Round, content: Json) -> None:
    name = inventory_secret(this.name)
    text = yaml.safe_dump(content, sort_keys=True)
    await this.apply(secret(name, _labels(this.name), {"inventory": text}))
    this.status["inventorySecretName"] = name
    this.status["configHash"] = hash_of([text, this.status["secretHashes"], this.status["configMapHashes"]])


def _deployments(this: Round, listed: list[Json]) -> None:
    """What Deployments say of this NodeSet: the newest decides whether it is deployed as it is now."""
    mine = [d for d in listed if this.name in d["spec"]["nodeSets"]]
    mine.sort(key=lambda d: (d["metadata"]["creationTimestamp"], d["metadata"]["name"]))
    said = {
        d["metadata"]["name"]: (d.get("status") or {}).get("nodeSetConditions", {}).get(this.name, []) for d in mine
    }
    this.status["deploymentStatuses"] = {name: conditions for name, conditions in said.items() if conditions}
    for deployment in mine:
        status = deployment.get("status") or {}
        if status.get("deployed"):
            this.status["deployedConfigHash"] = status.get("nodeSetHashes", {}).get(this.name, "")
    if not mine:
        this.conditions.waiting(DEPLOYED, "NodeSet setup ready, waiting for OpenStackDataPlaneDeployment...")
        return
    newest = mine[-1]["metadata"]["name"]
    ready: Json = next((c for c in said[newest] if c["type"] == "Ready"), {})
    if ready.get("status") != "True":
        message = f"OpenStackDataPlaneDeployment {newest}: {ready.get('message', 'not looked at yet')}"
        if ready.get("severity") in ("Error", "Warning"):
            this.conditions.failed(DEPLOYED, message, severity=ready["severity"])
        else:
            this.conditions.waiting(DEPLOYED, message)
    elif this.status.get("deployedConfigHash") != this.status["configHash"]:
        this.conditions.waiting(DEPLOYED, "NodeSet changed since, waiting for OpenStackDataPlaneDeployment...")
    else:
        this.conditions.true(DEPLOYED, "NodeSet Ready")


CONTROLLER: Final = Controller(
    resource=NODE_SET,
    reconcile=reconcile,
    conditions=(INPUT, ACCOUNT, RESERVED, NAMED, SET_UP, DEPLOYED),
    owns=(IP_SET, DNS_DATA, SERVICE_ACCOUNT),
    watches=(Watch(DATA_PLANE_DEPLOYMENT, everyone), Watch(DNS_MASQ, everyone)),
)
