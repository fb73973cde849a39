"""What runs on each node: containerd, kubelet, kube-proxy, and the wiring of its pods."""

from __future__ import annotations

import json
import resource
import shutil
from pathlib import Path

from seatrial_lab.build import image
from seatrial_lab.host import cgroups, process, shell
from seatrial_lab.platform import control_plane, multus
from seatrial_lab.platform.programs import Programs
from seatrial_lab.topology import IMAGE, Node, Topology

UNUSED_PLUGINS = (
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.tracing.processor.v1.otlp",
    "io.containerd.internal.v1.tracing",
)
STANDARD_PLUGINS = Path("/usr/lib/cni")
CAP_SYS_RESOURCE = 24
UNSET = "0s"


def folder(state: Path, node: Node) -> Path:
    """Return where a node keeps its things."""
    return state / node.name


def socket(state: Path, node: Node) -> Path:
    """Return the socket of a node's containerd."""
    return folder(state, node) / "run/containerd.sock"


def _may_raise_priority() -> bool:
    """Tell whether this process holds CAP_SYS_RESOURCE: without it no container may be given a lower OOM score."""
    status = Path("/proc/self/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> CAP_SYS_RESOURCE & 1)


def borrowed(state: Path, programs: Programs) -> dict[str, Path]:
    """Return which folders of ours every pod and every compute node sees, read-only, by where it sees them."""
    return {"/usr": Path("/usr"), "/opt/lab/openstack": programs.openstack, "/opt/lab/src": state / "src"}


def write_base_spec(state: Path, programs: Programs) -> None:
    """Write what every container starts from: the machine's software, read-only, and limits no higher than ours."""
    spec = json.loads(shell.call("ctr", "oci", "spec"))
    sources = {
        **borrowed(state, programs),
        "/bin": Path("/usr/bin"),
        "/sbin": Path("/usr/sbin"),
        "/lib": Path("/usr/lib"),
        "/lib64": Path("/usr/lib64"),
        "/opt/lab/bin": programs.binaries,
        "/opt/lab/pods": programs.pods,
        "/opt/lab/ansible": programs.ansible,
    }
    spec["mounts"] += [
        {"destination": inside, "type": "bind", "source": str(source), "options": ["rbind", "rprivate", "ro"]}
        for inside, source in sources.items()
        if source.exists()
    ]
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    spec["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": files, "soft": files}]
    (state / "base-spec.json").write_text(json.dumps(spec))
    image.write(state / "image.tar")


def write_plugins(state: Path) -> None:
    """Put our own CNI plugin beside the standard ones: containerd looks for plugins in one folder only."""
    folder = state / "cni"
    folder.mkdir()
    for plugin in STANDARD_PLUGINS.iterdir():
        (folder / plugin.name).symlink_to(plugin)
    (state / "addresses").mkdir()
    ours = folder / "multus"
    ours.write_text(f"""\
#!/usr/bin/python3 -IS
import sys
sys.path.insert(0, "{state}/src")
from seatrial_lab.platform.multus import main
sys.exit(main())
""")
    ours.chmod(0o755)


def _secondary_networks(state: Path, plan: Topology, at: Path) -> dict[str, object]:
    return {
        "type": "multus",
        "capabilities": {multus.ANNOTATIONS: True},
        "server": control_plane.server_url(plan),
        "ca": str(state / "pki/ca.crt"),
        "certificate": str(state / "pki/multus.crt"),
        "key": str(state / "pki/multus.key"),
        "records": str(at / "attachments"),
        # One folder for all nodes: an address is given once in the whole cluster.
        "leases": str(state / "addresses"),
    }


def _pod_network(state: Path, plan: Topology, node: Node) -> dict[str, object]:
    at = folder(state, node)
    ipam = {
        "type": "host-local",
        "dataDir": str(at / "addresses"),
        "ranges": [[{"subnet": str(node.pods)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipMasq": False, "ipam": ipam}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    secondary = [_secondary_networks(state, plan, at)] if plan.isolated else []
    return {"cniVersion": "0.4.0", "name": "lab", "plugins": [bridge, ports, *secondary]}


def start_container_runtime(state: Path, plan: Topology, node: Node) -> None:
    """Start a node's containerd."""
    at = folder(state, node)
    for part in ("attachments", "cni", "kubelet", "containerd", "run", "logs"):
        (at / part).mkdir(parents=True, exist_ok=True)
    (at / "cni/10-lab.conflist").write_text(json.dumps(_pod_network(state, plan, node)))
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    (at / "containerd.toml").write_text(f"""\
version = 2
root = "{at}/containerd"
state = "{at}/run/containerd"
oom_score = 0
disabled_plugins = {json.dumps(UNUSED_PLUGINS)}
[grpc]
  address = "{socket(state, node)}"
[{cri}]
  sandbox_image = "{IMAGE}"
  restrict_oom_score_adj = {json.dumps(not _may_raise_priority())}
  # Else a killed lab leaves /run/netns/cni-* behind.
  netns_mounts_under_state_dir = true
  max_concurrent_downloads = 1
  [{cri}.cni]
    bin_dir = "{state / "cni" if plan.isolated else STANDARD_PLUGINS}"
    conf_dir = "{at}/cni"
  [{cri}.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    base_runtime_spec = "{state}/base-spec.json"
""")
    argv = [shutil.which("containerd") or "containerd", "--config", at / "containerd.toml"]
    process.keep(state, f"{node.name}-containerd", argv, namespace=node.namespace)


def import_image(state: Path, node: Node) -> bool:
    """Give a node the lab's image; False while its containerd is not ready yet."""
    return shell.attempt("ctr", "-a", socket(state, node), "-n", "k8s.io", "image", "import", state / "image.tar")


def start_kubelet(state: Path, plan: Topology, node: Node, programs: Programs) -> None:
    """Start a node's kubelet and kube-proxy."""
    at = folder(state, node)
    (at / "kubelet.yaml").write_text(json.dumps(_kubelet(state, plan, node), indent=1))
    kubelet = [programs.binaries / "kubelet", "--config", at / "kubelet.yaml", "--root-dir", at / "kubelet"]
    kubelet += ["--kubeconfig", state / f"{node.name}.kubeconfig", "--hostname-override", node.name]
    # Looking into every container's control group is most of what a kubelet does at rest.
    kubelet += ["--node-ip", node.address, "--housekeeping-interval", "30s"]
    (at / "proxy.yaml").write_text(json.dumps(_proxy(state, plan, node), indent=1))
    proxy = [programs.binaries / "kube-proxy", "--config", at / "proxy.yaml"]
    process.keep(state, f"{node.name}-kubelet", kubelet, namespace=node.namespace)
    process.keep(state, f"{node.name}-proxy", proxy, namespace=node.namespace)


def _kubelet(state: Path, plan: Topology, node: Node) -> dict[str, object]:
    at, pki = folder(state, node), state / "pki"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": str(node.address),
        "healthzBindAddress": "127.0.0.1",
        "authentication": {
            "anonymous": {"enabled": False},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
            "webhook": {"enabled": True},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / f"{node.name}.crt"),
        "tlsPrivateKeyFile": str(pki / f"{node.name}.key"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroups.of_node(node.name),
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "clusterDNS": [str(plan.dns)],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "containerRuntimeEndpoint": f"unix://{socket(state, node)}",
        "podLogsDir": str(at / "logs"),
        "volumePluginDir": str(at / "volume-plugins"),
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        # A lost node is known by its lease; its status is written only when it says something else.
        "nodeStatusUpdateFrequency": "4s",
        "nodeStatusReportFrequency": "5m",
        "nodeLeaseDurationSeconds": 8,
        # Volumes are folders of one disk: there is no size to compare their files with.
        "volumeStatsAggPeriod": "-1s",
        "enableDebuggingHandlers": True,
        "cpuManagerPolicy": "none",
    }


def _proxy(state: Path, plan: Topology, node: Node) -> dict[str, object]:
    timing = {"minSyncPeriod": "100ms", "syncPeriod": "30s"}
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(state / "proxy.kubeconfig")},
        "hostnameOverride": node.name,
        "clusterCIDR": str(plan.pods),
        # The machine's conntrack settings are the machine's.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": UNSET, "tcpCloseWaitTimeout": UNSET},
        "oomScoreAdj": 0,
        "nftables": timing,
        "iptables": timing,
    }


def copy_source(state: Path, package: Path) -> None:
    """Copy the lab's own code for the operators to run: an edit of the checkout must not reach a running lab."""
    shutil.copytree(package, state / "src/seatrial_lab", ignore=shutil.ignore_patterns("__pycache__"))
