"""etcd, API server, controller manager and scheduler in the control machine's namespace."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

from seatrial_lab.host import process
from seatrial_lab.host.certificates import Authority, signing_pair, write_private
from seatrial_lab.topology import Topology

SYSTEM_USERS = {
    # file: (user, group), as Kubernetes' built-in roles expect them
    "admin": ("seatrial-lab-admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", None),
    "scheduler": ("system:kube-scheduler", None),
    "proxy": ("system:kube-proxy", None),
    "kubelet-client": ("kube-apiserver-kubelet-client", None),
    "multus": ("multus", None),
}


def server_url(plan: Topology) -> str:
    """Return the API server's address."""
    return f"https://{plan.control.address}:6443"


def issue_certificates(state: Path, plan: Topology) -> None:
    """Issue every certificate and write the kubeconfigs that carry them."""
    ca = Authority(state / "pki", "ca")
    service = "kubernetes.default.svc"
    hosts = ["kubernetes", "kubernetes.default", service, f"{service}.cluster.local", "localhost", "127.0.0.1"]
    hosts += [str(plan.kubernetes_service), str(plan.control.address)]
    ca.issue("apiserver", user="kube-apiserver", hosts=hosts)
    for name, (user, group) in SYSTEM_USERS.items():
        ca.issue(name, user=user, group=group)
    for node in plan.nodes:
        ca.issue(node.name, user=f"system:node:{node.name}", group="system:nodes", hosts=[node.name, str(node.address)])
    etcd = Authority(state / "pki", "etcd-ca")
    etcd.issue("etcd", user="etcd", hosts=["127.0.0.1", "localhost"])
    etcd.issue("etcd-client", user="kube-apiserver")
    signing_pair(state / "pki", "service-accounts")
    for name in ("admin", "controller-manager", "scheduler", "proxy", *(node.name for node in plan.nodes)):
        write_kubeconfig(state, plan, name)


def write_kubeconfig(state: Path, plan: Topology, name: str) -> None:
    """Write ``NAME.kubeconfig`` with the certificate of the same name inside."""

    def inline(file: str) -> str:
        return base64.b64encode((state / "pki" / file).read_bytes()).decode()

    cluster = {"server": server_url(plan), "certificate-authority-data": inline("ca.crt")}
    user = {"client-certificate-data": inline(f"{name}.crt"), "client-key-data": inline(f"{name}.key")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "seatrial-lab",
        "clusters": [{"name": "seatrial-lab", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "seatrial-lab", "context": {"cluster": "seatrial-lab", "user": name}}],
    }
    write_private(state / f"{name}.kubeconfig", json.dumps(document, indent=1).encode())


def start_store(state: Path, plan: Topology) -> None:
    """Start etcd; the lab is thrown away after use, so it need not wait for the disk."""
    etcd, pki = shutil.which("etcd") or "etcd", state / "pki"
    argv = [etcd, "--data-dir", state / "etcd", "--unsafe-no-fsync", "--log-level", "warn"]
    for kind in ("client", "peer"):
        port = 2379 if kind == "client" else 2380
        argv += [f"--listen-{kind}-urls", f"https://127.0.0.1:{port}"]
    argv += ["--advertise-client-urls", "https://127.0.0.1:2379"]
    argv += [
        "--initial-advertise-peer-urls",
        "https://127.0.0.1:2380",
        "--initial-cluster",
        "default=https://127.0.0.1:2380",
    ]
    for prefix in ("", "peer-"):
        argv += [f"--{prefix}cert-file", pki / "etcd.crt", f"--{prefix}key-file", pki / "etcd.key"]
        argv += [f"--{prefix}trusted-ca-file", pki / "etcd-ca.crt", f"--{prefix}client-cert-auth"]
    process.keep(state, "etcd", argv, namespace=plan.control.namespace)


def start_api_server(state: Path, plan: Topology, programs: Path) -> None:
    """Start the API server: no anonymous access, nodes and roles decide who may do what."""
    pki = state / "pki"
    options: dict[str, object] = {
        "etcd-servers": "https://127.0.0.1:2379",
        "etcd-cafile": pki / "etcd-ca.crt",
        "etcd-certfile": pki / "etcd-client.crt",
        "etcd-keyfile": pki / "etcd-client.key",
        "bind-address": plan.control.address,
        "advertise-address": plan.control.address,
        "service-cluster-ip-range": plan.services,
        "tls-cert-file": pki / "apiserver.crt",
        "tls-private-key-file": pki / "apiserver.key",
        "client-ca-file": pki / "ca.crt",
        "kubelet-certificate-authority": pki / "ca.crt",
        "kubelet-client-certificate": pki / "kubelet-client.crt",
        "kubelet-client-key": pki / "kubelet-client.key",
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": pki / "service-accounts.pub",
        "service-account-signing-key-file": pki / "service-accounts.key",
        "anonymous-auth": "false",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
        # Webhook pods are reached at their own addresses: this machine has no part in the Services' network.
        "enable-aggregator-routing": "true",
        "enable-priority-and-fairness": "false",
        "profiling": "false",
    }
    argv = [programs / "kube-apiserver", *(f"--{name}={value}" for name, value in options.items())]
    process.keep(state, "apiserver", argv, namespace=plan.control.namespace)


def start_controllers(state: Path, plan: Topology, programs: Path) -> None:
    """Start controller manager and scheduler; the first gives up when the API server is not ready yet."""
    pki = state / "pki"
    manager: dict[str, object] = {
        "kubeconfig": state / "controller-manager.kubeconfig",
        "service-account-private-key-file": pki / "service-accounts.key",
        "root-ca-file": pki / "ca.crt",
        "use-service-account-credentials": "true",
        "allocate-node-cidrs": "false",
        "leader-elect": "false",
        "bind-address": "127.0.0.1",
        # A lost node is noticed in 12 s instead of 40: a trial should not have to wait for it.
        "node-monitor-period": "2s",
        "node-monitor-grace-period": "12s",
    }
    scheduler: dict[str, object] = {
        "kubeconfig": state / "scheduler.kubeconfig",
        "leader-elect": "false",
        "bind-address": "127.0.0.1",
    }
    started = {"controller-manager": ("kube-controller-manager", manager), "scheduler": ("kube-scheduler", scheduler)}
    for name, (program, options) in started.items():
        argv = [programs / program, *(f"--{option}={value}" for option, value in options.items())]
        process.keep(state, name, argv, namespace=plan.control.namespace)
