"""The order in which the lab comes up, and what each step waits for."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from seatrial_lab import paths
from seatrial_lab.errors import BootFailed
from seatrial_lab.host import cgroups, machine, network, process, ssh
from seatrial_lab.platform import control_plane, metallb, nodes
from seatrial_lab.platform import definitions as crds
from seatrial_lab.platform.api import Api
from seatrial_lab.platform.apply import Kubectl, render
from seatrial_lab.platform.programs import Programs
from seatrial_lab.topology import Size, Topology

Say = Callable[[str], None]
MANIFESTS = Path(__file__).parent / "manifests"
OPENSTACK = paths.PACKAGE / "operators/openstack"
POLL_S = 0.3
TRY_S = 2.0  # each try is a start of kubectl
CLOUD_POLL_S = 1.0  # a control plane is a large object, and those who wait share its processors
PATIENCE_S = {"control plane": 60.0, "nodes": 60.0, "platform pods": 180.0}
"""How long each step may take on a slow machine before the boot is given up; for the cloud its size says it."""
PLATFORM = (
    ("deployments", "kube-system", "coredns"),
    ("deployments", "lab-storage", "provisioner"),
    ("deployments", "metallb-system", "controller"),
    ("daemonsets", "metallb-system", "speaker"),
)
PASSWORDS = (
    "AdminPassword",
    "DbRootPassword",
    "GlancePassword",
    "KeystoneDatabasePassword",
    "MemcachedPassword",
    "MetadataSecret",
    "NeutronPassword",
    "NovaPassword",
    "PlacementPassword",
)


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot of the lab."""

    state: Path
    plan: Topology
    programs: Programs
    size: Size
    say: Say

    @property
    def kubectl(self) -> Kubectl:
        """Return kubectl as administrator."""
        return Kubectl(self.programs.binaries / "kubectl", self.state / "admin.kubeconfig")

    @property
    def api(self) -> Api:
        """Return read access to the API server, once there are certificates."""
        return Api(self.state, self.plan)

    def run(self, *, kubernetes_only: bool = False) -> None:
        """Bring everything up, in order; raise BootFailed naming what did not come.

        Everything is declared as soon as the API server answers, and waited for afterwards: Kubernetes sorts out the
        order by itself, and both cores are busy from the first second.
        """
        self._machines()
        self._control_plane()
        self._start_nodes()
        self._declare_platform()
        if not kubernetes_only:
            self._declare_cloud()
        self._wait("nodes ready", "nodes", self._nodes_ready)
        self._wait("addresses given to the load balancer", "platform pods", self._pool_accepted, every_s=TRY_S)
        if self.plan.isolated:
            self._wait("nodes' devices configured", "platform pods", self._devices_configured)
        if kubernetes_only:
            self._wait("DNS, storage and load balancer ready", "platform pods", self._platform_ready)
        else:
            self._wait("cloud ready", "cloud", _CloudReady(self), every_s=CLOUD_POLL_S)
            if self.plan.computes:
                self._wait("compute nodes ready", "cloud", self._data_plane_ready, every_s=CLOUD_POLL_S)

    def _wait(self, what: str, step: str, done: Callable[[], bool], *, every_s: float = POLL_S) -> None:
        """Wait until ``done``; on time-out say which step it was, and where its logs are."""
        patience_s = PATIENCE_S.get(step, self.size.patience_s)
        deadline = time.monotonic() + patience_s
        while not done():
            if time.monotonic() > deadline:
                msg = f"{what} took longer than {patience_s:.0f} s; logs are in {self.state / 'log'}"
                raise BootFailed(msg)
            time.sleep(every_s)
        self.say(what)

    def _machines(self) -> None:
        control_plane.issue_certificates(self.state, self.plan)
        metallb.issue_certificates(self.state / "pki")
        network.make(self.plan)
        cgroups.make(self.plan)
        nodes.copy_source(self.state, paths.PACKAGE)
        nodes.write_base_spec(self.state, self.programs)
        if self.plan.isolated:
            nodes.write_plugins(self.state)
        process.start_supervisor(self.state)
        self._compute_nodes()
        self.say("machines made: certificates, namespaces, control groups")

    def _compute_nodes(self) -> None:
        """Install and switch on the machines outside the cluster; they know a key to let Ansible in, and no more."""
        for compute in self.plan.computes:
            machine.install(self.state, compute, ssh.public_key(self.state))
            machine.start(self.state, compute, nodes.borrowed(self.state, self.programs))

    def _control_plane(self) -> None:
        control_plane.start_store(self.state, self.plan)
        control_plane.start_api_server(self.state, self.plan, self.programs.binaries)
        for node in self.plan.nodes:
            nodes.start_container_runtime(self.state, self.plan, node)
        self._wait("API server ready", "control plane", self.api.is_ready)
        control_plane.start_controllers(self.state, self.plan, self.programs.binaries)

    def _start_nodes(self) -> None:
        for node in self.plan.nodes:
            self._wait(f"{node.name} has its image", "nodes", partial(nodes.import_image, self.state, node))
            nodes.start_kubelet(self.state, self.plan, node, self.programs)

    def _declare_platform(self) -> None:
        documents = [
            *render(MANIFESTS / "00-base.yaml"),
            *render(MANIFESTS / "10-dns.yaml"),
            *render(MANIFESTS / "20-storage.yaml", volumes=self.state / "volumes"),
            *metallb.manifests(self.programs.metallb, self.state / "pki"),
        ]
        self.kubectl.apply(documents)
        if self.plan.isolated:
            self._declare_networks()
        self.say("platform declared")

    def _declare_networks(self) -> None:
        """Declare the secondary networks (nodes' devices, what pods can be attached to), and who guards pod traffic."""
        self._define(render(MANIFESTS / "30-networks.yaml"))
        plan = self.plan
        values = {"nodes": plan.nodes, "isolated": plan.isolated, "networks": plan.networks}
        attachments = render(MANIFESTS / "31-attachments.yaml", **values)
        self.kubectl.apply([*attachments, *render(MANIFESTS / "32-network-policy.yaml")])

    def _define(self, documents: list[dict[str, Any]]) -> None:
        """Apply documents among which are definitions of kinds, and wait until these can be used."""
        self.kubectl.apply(documents)
        names = [d["metadata"]["name"] for d in documents if d["kind"] == "CustomResourceDefinition"]
        self.kubectl.run("wait", "--for=condition=Established", "--timeout=30s", "crd", *names)

    def _nodes_ready(self) -> bool:
        items = self.api.items("/api/v1/nodes")
        ready = [
            c
            for item in items
            for c in item["status"].get("conditions", [])
            if c["type"] == "Ready" and c["status"] == "True"
        ]
        return len(ready) == len(self.plan.nodes)

    def _platform_ready(self) -> bool:
        return all(self._is_whole(kind, namespace, name) for kind, namespace, name in PLATFORM)

    def _pool_accepted(self) -> bool:
        try:
            self.kubectl.apply(render(MANIFESTS / "40-load-balancer.yaml", networks=self.plan.networks))
        except BootFailed:
            return False  # MetalLB's webhook is not listening yet
        return True

    def _devices_configured(self) -> bool:
        policies = self.api.items("/apis/nmstate.io/v1/nodenetworkconfigurationpolicies")
        said = [policy.get("status", {}).get("conditions", []) for policy in policies]
        available = [c for conditions in said for c in conditions if c["type"] == "Available" and c["status"] == "True"]
        return len(available) == len(self.plan.nodes)

    def _is_whole(self, kind: str, namespace: str, name: str) -> bool:
        status = self.api.get(f"/apis/apps/v1/namespaces/{namespace}/{kind}/{name}").get("status", {})
        if kind == "daemonsets":
            return bool(status.get("numberReady", 0) == len(self.plan.nodes))
        return bool(status.get("readyReplicas", 0) == status.get("replicas", -1))

    def _declare_cloud(self) -> None:
        self._define(crds.load())
        samples = render(OPENSTACK / "samples" / self.size.control_plane, hosts=self.state / "hosts")
        if self.plan.isolated:
            samples += render(OPENSTACK / "samples/netconfig.yaml", networks=self.plan.networks)
        self.kubectl.apply([self._passwords(), *render(OPENSTACK / "init.yaml"), *samples])
        self.say("operators and control plane declared")
        if self.plan.computes:
            self._declare_data_plane()

    def _declare_data_plane(self) -> None:
        """Declare the compute nodes, with the keys to them that a person makes beforehand."""
        purposes = {"dataplane-ansible-ssh-private-key-secret": ssh.ANSIBLE, "nova-migration-ssh-key": ssh.MIGRATION}
        keys = []
        for name, purpose in purposes.items():
            private, public = ssh.pair(self.state, purpose)
            keys.append(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": name, "namespace": "openstack"},
                    "type": "Opaque",
                    "stringData": {"ssh-privatekey": private, "ssh-publickey": public},
                }
            )
        self.kubectl.apply([*keys, *render(OPENSTACK / "samples/dataplane.yaml")])
        self.say("data plane declared")

    def _data_plane_ready(self) -> bool:
        """Tell whether every set of compute nodes is deployed as it was declared."""
        sets = self.api.items("/apis/dataplane.openstack.org/v1beta1/openstackdataplanenodesets")
        heads = [(each.get("status", {}).get("conditions") or [{}])[0] for each in sets]
        return bool(heads) and all(head.get("status") == "True" for head in heads)

    def _passwords(self) -> dict[str, Any]:
        """Return the Secret that a person makes before deploying a RHOSO, with passwords of this lab's own."""
        data = {name: base64.b64encode(secrets.token_urlsafe(18).encode()).decode() for name in PASSWORDS}
        metadata = {"name": "osp-secret", "namespace": "openstack"}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}


class _CloudReady:
    """Asks whether the control plane is ready, and tells each condition when it comes true."""

    def __init__(self, boot: Boot) -> None:
        self._boot = boot
        self._told: set[str] = {"Ready"}

    def __call__(self) -> bool:
        planes = self._boot.api.items("/apis/core.openstack.org/v1beta1/openstackcontrolplanes")
        conditions = [c for plane in planes for c in plane.get("status", {}).get("conditions", [])]
        true = {c["type"] for c in conditions if c["status"] == "True"}
        for name in sorted(true - self._told):
            self._boot.say(f"  {name}")
        self._told |= true
        return "Ready" in true
