"""The rules on real packets: two routed nodes with a bridge each, in network namespaces of their own (needs root)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest

from seatrial_lab.platform.policy.objects import Json, Pod, Policy
from seatrial_lab.platform.policy.rules import Cluster, ruleset

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("nft"), reason="needs root, iproute2 and nftables"),
]
PODS = {
    "front": Pod("a", "front", "0", {"app": "front"}, (IPv4Address("10.128.0.2"),)),
    "back": Pod("a", "back", "0", {"app": "back"}, (IPv4Address("10.128.0.3"),), (("http", "TCP", 8080),)),
    "far": Pod("b", "far", "1", {"app": "front"}, (IPv4Address("10.128.1.2"),)),
}
NAMESPACES = {"a": {"team": "x"}, "b": {"team": "y"}}
VIRTUAL = "172.30.9.9"
SERVICE = f"""
table ip services
delete table ip services
table ip services {{
    chain pre {{
        type nat hook prerouting priority dstnat;
        ip daddr {VIRTUAL} tcp dport 80 dnat to 10.128.0.3:8080
    }}
    chain post {{
        type nat hook postrouting priority srcnat;
        ip saddr 10.128.0.3 ip daddr 10.128.0.3 masquerade
    }}
}}
"""
ECHO = """
import socketserver, sys
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(64):
            self.request.sendall(data)
socketserver.ThreadingTCPServer.allow_reuse_address = True
import threading
for port in (8080, 9090):
    server = socketserver.ThreadingTCPServer(("", port), Echo)
    threading.Thread(target=server.serve_forever).start()
print("ready", flush=True)
"""
TALK = """
import socket, sys
try:
    far = socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.4)
except OSError:
    sys.exit(1)
print("open", flush=True)
for line in sys.stdin:
    try:
        far.sendall(b"x")
        print(len(far.recv(64)), flush=True)
    except OSError:
        print("cut", flush=True)
"""


def inside(namespace: str) -> list[str]:
    return ["nsenter", f"--net=/run/netns/sx-policy-{namespace}"]


def ip(*lines: str, at: str | None = None) -> None:
    where = [] if at is None else ["-n", f"sx-policy-{at}"]
    subprocess.run(["ip", *where, "-batch", "-"], check=True, input="\n".join(lines), text=True)


class Cloth:
    """Two nodes and their pods."""

    def put(self, *specs: Json, without: str = "") -> None:
        """Put policies of namespace `a` in force on both nodes, the way the agents do."""
        policies = [Policy("a", f"p{n}", spec) for n, spec in enumerate(specs)]
        pods = [pod for name, pod in PODS.items() if name != without]
        for node in ("0", "1"):
            text = ruleset(Cluster(policies, pods, NAMESPACES), node)
            subprocess.run([*inside(node), "nft", "-f", "-"], check=True, input=text, text=True)

    def talk(self, source: str, target: str, port: int = 8080) -> subprocess.Popen[str]:
        where = str(PODS[target].addresses[0]) if target in PODS else target
        argv = [*inside(source), sys.executable, "-Sc", TALK, where, str(port)]
        return subprocess.Popen(argv, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def reaches(self, source: str, target: str, port: int = 8080) -> bool:
        with self.talk(source, target, port) as talk:
            return talk.communicate("\n")[0] == "open\n1\n"


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cloth]:
    """Nodes 0 and 1 side by side, pods on their bridges, an echo server in each pod."""
    names = ("0", "1", *PODS)
    servers = []
    try:
        for name in names:
            subprocess.run(["ip", "netns", "add", f"sx-policy-{name}"], check=True)
        ip("link add eth0 netns sx-policy-0 type veth peer name eth0 netns sx-policy-1")
        for node, other in (("0", "1"), ("1", "0")):
            ip(
                "link set lo up",
                f"addr add 192.168.9.{node}/31 dev eth0",
                "link set eth0 up",
                "link add cni0 type bridge",
                f"addr add 10.128.{node}.1/24 dev cni0",
                "link set cni0 up",
                f"route add 10.128.{other}.0/24 via 192.168.9.{other}",
                at=node,
            )
            subprocess.run([*inside(node), "sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True)
            subprocess.run([*inside(node), "nft", "-f", "-"], check=True, input=SERVICE, text=True)
        for name, pod in PODS.items():
            # Link-local addresses that may be used at once.
            subprocess.run([*inside(name), "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0"], check=True)
            ip(f"link add v-{name} netns sx-policy-{pod.node} type veth peer name eth0 netns sx-policy-{name}")
            ip(f"link set v-{name} master cni0 up", f"link set v-{name} type bridge_slave hairpin on", at=pod.node)
            ip(
                "link set lo up",
                f"addr add {pod.addresses[0]}/24 dev eth0",
                "link set eth0 up",
                f"route add default via 10.128.{pod.node}.1",
                at=name,
            )
            argv = [*inside(name), sys.executable, "-Sc", ECHO]
            servers.append(subprocess.Popen(argv, text=True, stdout=subprocess.PIPE))
        for server in servers:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
        yield Cloth()
    finally:
        for server in servers:
            server.kill()
            server.communicate()
        for name in names:
            subprocess.run(["ip", "netns", "del", f"sx-policy-{name}"], check=False)


BACK: Json = {"podSelector": {"matchLabels": {"app": "back"}}}


def test_without_policies_all_reach_all(nodes: Cloth) -> None:
    nodes.put()
    assert nodes.reaches("front", "back")
    assert nodes.reaches("far", "back")
    assert nodes.reaches("front", VIRTUAL, 80)


def test_ingress_is_cut_on_the_same_node_and_across(nodes: Cloth) -> None:
    """And the node's own probes, and the pod's talk with itself through a Service, pass."""
    nodes.put(BACK)
    assert not nodes.reaches("front", "back")
    assert not nodes.reaches("far", "back")
    assert not nodes.reaches("front", VIRTUAL, 80)
    assert nodes.reaches("0", "back")
    assert nodes.reaches("back", VIRTUAL, 80)
    assert nodes.reaches("back", "front"), "only its ingress is isolated, so answers come back"
    assert nodes.reaches("back", "far")


def test_peers_and_named_ports_are_let_through(nodes: Cloth) -> None:
    rule = {"from": [{"namespaceSelector": {"matchLabels": {"team": "y"}}}], "ports": [{"port": "http"}]}
    nodes.put({**BACK, "ingress": [rule]})
    assert nodes.reaches("far", "back")
    assert not nodes.reaches("far", "back", 9090)
    assert not nodes.reaches("front", "back")


def test_a_service_is_judged_by_the_pod_behind_it(nodes: Cloth) -> None:
    """By its own port too, not the Service's."""
    egress = {"podSelector": {"matchLabels": {"app": "front"}}, "policyTypes": ["Egress"]}
    nodes.put({**egress, "egress": [{"to": [BACK], "ports": [{"port": 8080}]}]})
    assert nodes.reaches("front", VIRTUAL, 80)
    assert nodes.reaches("front", "back")
    assert not nodes.reaches("front", "back", 9090)
    assert not nodes.reaches("front", "far")
    nodes.put({**egress, "egress": [{"to": [{"ipBlock": {"cidr": "172.30.0.0/16"}}]}]})
    assert not nodes.reaches("front", VIRTUAL, 80)


def test_ranges_of_addresses_and_ports(nodes: Cloth) -> None:
    block = {"ipBlock": {"cidr": "10.128.0.0/14", "except": ["10.128.0.0/24"]}}
    nodes.put({**BACK, "ingress": [{"from": [block], "ports": [{"port": 9000, "endPort": 9100}]}]})
    assert nodes.reaches("far", "back", 9090)
    assert not nodes.reaches("far", "back")
    assert not nodes.reaches("front", "back", 9090)


@pytest.mark.parametrize("source", ["front", "far"])
def test_what_is_open_is_cut_by_a_new_policy_and_goes_on_when_it_is_taken_away(nodes: Cloth, source: str) -> None:
    """An open connection is no way round a policy."""
    nodes.put()
    with nodes.talk(source, "back") as talk:
        assert talk.stdin is not None
        assert talk.stdout is not None
        ask, answer = talk.stdin, talk.stdout

        def say() -> str:
            print(file=ask, flush=True)
            return answer.readline().strip()

        assert answer.readline() == "open\n"
        assert say() == "1"
        nodes.put(BACK)
        assert say() == "cut"
        nodes.put()
        assert any(say() != "cut" for _ in range(5)), "TCP tries again ever more slowly"


def test_an_isolated_pod_is_silent_before_its_address_is_known(nodes: Cloth) -> None:
    """Kubernetes has scheduled `back`, and not said its address yet."""
    late = Pod("a", "back", "0", {"app": "back"})
    known = PODS["back"]
    try:
        PODS["back"] = late
        nodes.put(BACK)
    finally:
        PODS["back"] = known
    assert not nodes.reaches("far", "back")
    assert not nodes.reaches("front", "back")
    assert nodes.reaches("front", "far")
    assert nodes.reaches("far", "front")


def test_link_local_ipv6_is_no_way_round(nodes: Cloth) -> None:
    """Two pods of a node have such addresses without anybody giving them."""
    told = subprocess.run([*inside("back"), "ip", "-6", "-o", "addr"], check=True, capture_output=True, text=True)
    address = next(word for line in told.stdout.splitlines() for word in line.split() if word.startswith("fe80"))
    ping = [*inside("front"), sys.executable, "-Sc", PING6, address.split("/")[0]]
    nodes.put()
    assert subprocess.run(ping, check=False).returncode == 0
    nodes.put(BACK)
    assert subprocess.run(ping, check=False).returncode == 1


PING6 = """
import socket, sys
far = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
far.settimeout(1)
try:
    for attempt in range(3):
        far.sendto(bytes((128, 0, 0, 0, 0, 1, 0, attempt)), (sys.argv[1], 0, 0, socket.if_nametoindex("eth0")))
        while far.recv(64)[0] != 129:
            pass
        sys.exit(0)
except OSError:
    sys.exit(1)
"""
