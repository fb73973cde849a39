"""NetworkPolicy: what a pod may do, judged by a second reading of the specification; and the text for nftables."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial_lab.platform.policy.objects import Json, Pod, Policy, pod_of, selects
from seatrial_lab.platform.policy.rules import Cluster, ruleset

NAMESPACES = {"a": {"team": "x", "kubernetes.io/metadata.name": "a"}, "b": {"kubernetes.io/metadata.name": "b"}}
OUTSIDE = "10.9.9.9"


def a_pod(name: str, address: str | None, *, namespace: str = "a", node: str = "node-0", **labels: str) -> Pod:
    addresses = (IPv4Address(address),) if address else ()
    return Pod(namespace, name, node, labels, addresses, (("http", "TCP", 8000 + len(name)),))


def may(cluster: Cluster, source: str, target: str, protocol: str = "TCP", port: int = 80) -> bool:
    """Tell what the rules of all nodes together make of a new connection, in the order in which nftables reads them."""
    found = [i for node in {pod.node for pod in cluster.pods} for i in cluster.isolations(node)]

    def passes(direction: str, own: str, far: str) -> bool:
        mine = [i for i in found if i.direction == direction and IPv4Address(own) in i.pod.addresses]
        return not mine or any(
            (allow.peers is None or any(IPv4Address(far) in net for net in allow.peers))
            and allow.protocol in (None, protocol)
            and (allow.ports is None or allow.ports[0] <= port <= allow.ports[1])
            for allow in mine[0].allows
        )

    return source == target or (passes("Egress", source, target) and passes("Ingress", target, source))


FRONT = a_pod("front", "10.128.0.2", app="front")
BACK = a_pod("back", "10.128.0.3", app="back")
FAR = a_pod("far", "10.128.1.2", node="node-1", app="front", namespace="b")
PODS = (FRONT, BACK, FAR)


def with_policy(spec: Json, *more: Json) -> Cluster:
    policies = [Policy("a", f"p{n}", s) for n, s in enumerate((spec, *more))]
    return Cluster(policies, PODS, NAMESPACES)


def sources(cluster: Cluster, port: int = 80, protocol: str = "TCP") -> set[str]:
    """Return who reaches the pod `back`."""
    names = {"front": "10.128.0.2", "far": "10.128.1.2", "outside": OUTSIDE}
    return {name for name, address in names.items() if may(cluster, address, "10.128.0.3", protocol, port)}


ALL = {"front", "far", "outside"}
BACKS: Json = {"matchLabels": {"app": "back"}}


def ingress(*rules: Json) -> Json:
    return {"podSelector": BACKS, "policyTypes": ["Ingress"], "ingress": list(rules)}


@pytest.mark.parametrize(
    ("spec", "who"),
    [
        ({"podSelector": {"matchLabels": {"app": "nobody"}}}, ALL),
        ({"podSelector": {}}, set()),
        ({"podSelector": {}, "policyTypes": ["Egress"]}, {"far", "outside"}),
        (ingress({}), ALL),
        (ingress({"from": []}), ALL),
        (ingress({"from": [{"podSelector": {}}]}), {"front"}),
        (ingress({"from": [{"namespaceSelector": {}}]}), {"front", "far"}),
        (ingress({"from": [{"namespaceSelector": {"matchLabels": {"team": "x"}}}]}), {"front"}),
        (ingress({"from": [{"namespaceSelector": {}, "podSelector": BACKS}]}), set()),
        (
            ingress({"from": [{"namespaceSelector": {}}, {"podSelector": BACKS}]}),
            {"front", "far"},
        ),
        (ingress({"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}), ALL),
        (ingress({"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.128.0.0/14"]}}]}), {"outside"}),
        (
            ingress({"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.128.0.0/14"]}}, {"podSelector": {}}]}),
            {"front", "outside"},
        ),
        (ingress({"from": [{"ipBlock": {"cidr": "10.9.9.9/32", "except": ["10.9.9.9/32"]}}]}), set()),
        (ingress({"from": [{"ipBlock": {"cidr": "::/0"}}]}), set()),
    ],
)
def test_who_may_call(spec: Json, who: set[str]) -> None:
    assert sources(with_policy(spec)) == who


@pytest.mark.parametrize(
    ("ports", "open_ports"),
    [
        ([{"port": 80}], {("TCP", 80)}),
        ([{"port": 80, "protocol": "UDP"}], {("UDP", 80)}),
        ([{"protocol": "TCP"}], {("TCP", 80), ("TCP", 90), ("TCP", 8004)}),
        ([{"port": 80, "endPort": 90}], {("TCP", 80), ("TCP", 90)}),
        ([{"port": "http"}], {("TCP", 8004)}),
        ([{"port": "http", "protocol": "UDP"}], set()),
        ([{"port": "nameless"}], set()),
    ],
)
def test_ports_of_the_called(ports: list[Json], open_ports: set[tuple[str, int]]) -> None:
    cluster = with_policy(ingress({"ports": ports}))
    tried = [(protocol, port) for protocol in ("TCP", "UDP") for port in (80, 90, 8004)]
    assert {(protocol, port) for protocol, port in tried if sources(cluster, port, protocol)} == open_ports


def test_a_named_port_of_egress_is_that_of_each_called_pod() -> None:
    """`http` is 8004 in one pod and 8003 in another."""
    spec = {"podSelector": {"matchLabels": {"app": "front"}}, "policyTypes": ["Egress"]}
    cluster = with_policy({**spec, "egress": [{"to": [{"namespaceSelector": {}}], "ports": [{"port": "http"}]}]})
    assert may(cluster, "10.128.0.2", "10.128.0.3", port=8004)
    assert not may(cluster, "10.128.0.2", "10.128.0.3", port=8003)
    assert may(cluster, "10.128.0.2", "10.128.1.2", port=8003)
    assert not may(cluster, "10.128.0.2", OUTSIDE, port=8003)


def test_policies_add_up() -> None:
    """One that allows nothing takes nothing from another."""
    assert sources(with_policy(ingress(), ingress({"from": [{"podSelector": {}}]}))) == {"front"}


def test_policy_types_default_to_ingress_and_what_is_written() -> None:
    cluster = with_policy({"podSelector": BACKS, "egress": [{"ports": [{"port": 53}]}]})
    assert sources(cluster) == set()
    assert may(cluster, "10.128.0.3", OUTSIDE, port=53)
    assert not may(cluster, "10.128.0.3", OUTSIDE, port=80)


@pytest.mark.parametrize(
    ("demand", "yes", "no"),
    [
        ({"operator": "In", "values": ["x", "y"]}, {"k": "x"}, {"k": "z"}),
        ({"operator": "In", "values": ["x"]}, {"k": "x"}, {}),
        ({"operator": "NotIn", "values": ["x"]}, {}, {"k": "x"}),
        ({"operator": "Exists"}, {"k": ""}, {"l": "x"}),
        ({"operator": "DoesNotExist"}, {}, {"k": "x"}),
    ],
)
def test_label_expressions(demand: Json, yes: dict[str, str], no: dict[str, str]) -> None:
    selector = {"matchExpressions": [{"key": "k", **demand}]}
    assert selects(selector, yes)
    assert not selects(selector, no)


def document(**status: Any) -> Json:
    meta = {"name": "p", "namespace": "a", "labels": {"app": "x"}}
    ports = [{"name": "http", "containerPort": 80}, {"containerPort": 81}]
    spec = {"nodeName": "node-0", "containers": [{"name": "c", "ports": ports}]}
    return {"metadata": meta, "spec": spec, "status": {"podIPs": [{"ip": "10.128.0.9"}, {"ip": "fd00::1"}], **status}}


def test_a_pod_as_kubernetes_tells_it() -> None:
    pod = pod_of(document(phase="Running"))
    assert pod == Pod("a", "p", "node-0", {"app": "x"}, (IPv4Address("10.128.0.9"),), (("http", "TCP", 80),))


def test_pods_on_the_nodes_network_ended_and_unscheduled_ones_do_not_count() -> None:
    on_node, unscheduled = document(), document()
    on_node["spec"]["hostNetwork"] = True
    del unscheduled["spec"]["nodeName"]
    for gone in (on_node, unscheduled, document(phase="Succeeded"), document(phase="Failed")):
        assert pod_of(gone) is None


def test_a_pod_being_deleted_is_still_judged() -> None:
    leaving = document(phase="Running")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert pod_of(leaving) is not None


# A second reading of the documentation, connection by connection, without sets of addresses.

names = st.sampled_from(["x", "y"])
labels = st.dictionaries(names, names, max_size=2)
selectors = st.fixed_dictionaries({}, optional={"matchLabels": labels})
addresses = st.builds(lambda n: f"10.128.0.{n}", st.integers(2, 9))
networks = st.builds(
    lambda n, p: str(IPv4Network((0x0A800000 + n, p), strict=False)), st.integers(0, 15), st.integers(27, 32)
)
blocks = st.fixed_dictionaries({"cidr": networks}, optional={"except": st.lists(networks, max_size=2)})
peers = st.one_of(
    st.fixed_dictionaries({"ipBlock": blocks}),
    st.fixed_dictionaries({"podSelector": selectors}, optional={"namespaceSelector": selectors}),
    st.fixed_dictionaries({"namespaceSelector": selectors}),
)
ports = st.one_of(
    st.fixed_dictionaries(
        {"port": st.sampled_from([79, 80, "http"])}, optional={"protocol": st.sampled_from(["TCP", "UDP"])}
    ),
    st.just({"port": 79, "endPort": 80}),
    st.just({"protocol": "UDP"}),
)


def rules_of(side: str) -> st.SearchStrategy[list[Json]]:
    optional: dict[str, Any] = {side: st.lists(peers, max_size=2), "ports": st.lists(ports, max_size=2)}
    return st.lists(st.fixed_dictionaries({}, optional=optional), max_size=2)


specs = st.fixed_dictionaries(
    {"podSelector": selectors},
    optional={
        "policyTypes": st.lists(st.sampled_from(["Ingress", "Egress"]), min_size=1, unique=True),
        "ingress": rules_of("from"),
        "egress": rules_of("to"),
    },
)


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    where = draw(st.lists(addresses, min_size=1, max_size=5, unique=True))
    pods = [
        Pod(
            draw(st.sampled_from(["a", "b"])),
            f"pod-{n}",
            draw(st.sampled_from(["node-0", "node-1"])),
            draw(labels),
            (IPv4Address(address),),
            draw(st.sampled_from([(), (("http", "TCP", 79),), (("http", "TCP", 80), ("http", "UDP", 79))])),
        )
        for n, address in enumerate(where)
    ]
    policies = [
        Policy(draw(st.sampled_from(["a", "b"])), f"policy-{n}", spec)
        for n, spec in enumerate(draw(st.lists(specs, max_size=3)))
    ]
    return Cluster(policies, pods, {"a": draw(labels), "b": draw(labels)})


def second_reading(cluster: Cluster, source: str, target: str, protocol: str, port: int) -> bool:
    at = {str(pod.addresses[0]): pod for pod in cluster.pods}
    caller, called = at.get(source), at.get(target)
    if source == target:
        return True

    def labelled(selector: Json, have: Any) -> bool:
        return all(have.get(k) == v for k, v in selector.get("matchLabels", {}).items())

    def is_peer(entry: Json, address: str, home: str) -> bool:
        if "ipBlock" in entry:
            block = entry["ipBlock"]
            inside = [IPv4Address(address) in IPv4Network(n) for n in (block["cidr"], *block.get("except", []))]
            return inside[0] and not any(inside[1:])
        pod = at.get(address)
        if pod is None:
            return False
        if "namespaceSelector" in entry:
            if not labelled(entry["namespaceSelector"], (cluster.namespaces or {})[pod.namespace]):
                return False
        elif pod.namespace != home:
            return False
        return labelled(entry.get("podSelector", {}), pod.labels)

    def is_port(entry: Json) -> bool:
        if entry.get("protocol", "TCP") != protocol:
            return False
        wanted = entry.get("port")
        if isinstance(wanted, str):
            return called is not None and (wanted, protocol, port) in called.ports
        return wanted is None or wanted <= port <= entry.get("endPort", wanted)

    def passes(pod: Pod | None, direction: str, far: str) -> bool:
        if pod is None:
            return True
        key, side = direction.lower(), "from" if direction == "Ingress" else "to"
        about = [
            policy
            for policy in cluster.policies
            if policy.namespace == pod.namespace
            and labelled(policy.spec["podSelector"], pod.labels)
            and direction
            in policy.spec.get("policyTypes", ["Ingress", *(["Egress"] if "egress" in policy.spec else [])])
        ]
        return not about or any(
            (not rule.get(side) or any(is_peer(entry, far, policy.namespace) for entry in rule[side]))
            and (not rule.get("ports") or any(map(is_port, rule["ports"])))
            for policy in about
            for rule in policy.spec.get(key, [])
        )

    return passes(caller, "Egress", target) and passes(called, "Ingress", source)


@given(clusters(), addresses, addresses, st.sampled_from(["TCP", "UDP"]), st.sampled_from([78, 79, 80]))
def test_any_connection_fares_as_documented(
    cluster: Cluster, source: str, target: str, protocol: str, port: int
) -> None:
    """The rules say of any connection between any two addresses what the documentation says."""
    assert may(cluster, source, target, protocol, port) == second_reading(cluster, source, target, protocol, port)


@given(clusters())
def test_the_text_jumps_for_each_isolation_of_its_node_and_no_other(cluster: Cluster) -> None:
    """Every jump has its chain, every chain ends in drop, and a set holds no overlap."""
    text = ruleset(cluster, "node-0")
    chains = set(re.findall(r"chain ((?:in|e)gress-\d+) \{\n(?:.*return\n|.*comment.*\n)*\t\tdrop\n\t\}", text))
    jumps = re.findall(r"(10\.\S+) : jump ((\w+)-\d+)", text)
    assert chains == {chain for _, chain, _ in jumps}
    wanted = {(str(i.pod.addresses[0]), i.direction.lower()) for i in cluster.isolations("node-0")}
    assert {(address, direction) for address, _, direction in jumps} == wanted
    assert len(jumps) == len(wanted)
    for inside in re.findall(r"\tip [sd]addr \{ (.*?) \}", text):
        nets = [IPv4Network(net) for net in inside.split(", ")]
        assert not any(a.overlaps(b) for n, a in enumerate(nets) for b in nets[:n])


@given(clusters(), st.randoms())
def test_the_order_in_which_things_were_heard_of_changes_nothing(cluster: Cluster, random: Any) -> None:
    """So that what did not change is not written again."""
    pods, policies = list(cluster.pods), list(cluster.policies)
    random.shuffle(pods)
    random.shuffle(policies)
    assert ruleset(Cluster(policies, pods, cluster.namespaces), "node-0") == ruleset(cluster, "node-0")


def test_the_text_of_a_small_cluster() -> None:
    """The whole text, once, for the eye."""
    text = ruleset(with_policy(ingress({"from": [{"namespaceSelector": {}}], "ports": [{"port": 80}]})), "node-0")
    assert (
        text
        == """\
table inet network-policy
delete table inet network-policy
table inet network-policy {
	chain ingress-0 {
		comment "a/p0"
		ip saddr { 10.128.0.2/31, 10.128.1.2/32 } meta l4proto tcp th dport 80 return
		drop
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		ct direction reply ct state established accept
		ct state related accept
		iifname "cni0" meta nfproto ipv6 drop
		ip saddr . ip daddr { 10.128.0.2 . 10.128.0.2, 10.128.0.3 . 10.128.0.3 } accept
		ip daddr vmap { 10.128.0.3 : jump ingress-0 }
	}
}
"""
    )


def test_an_isolated_pod_without_an_address_yet_keeps_newcomers_silent() -> None:
    """Nobody knows yet which of the unknown addresses will be its."""
    cluster = with_policy(ingress())
    late = a_pod("late", None, app="back")
    text = ruleset(Cluster(cluster.policies, (*PODS, late), NAMESPACES), "node-0")
    assert 'oifname "cni0" ip daddr != { 10.128.0.2, 10.128.0.3 } drop' in text
    assert "ip saddr !=" not in text
    assert "ip daddr !=" not in ruleset(Cluster(cluster.policies, (*PODS, late), NAMESPACES), "node-1")


def test_without_policies_nothing_is_in_the_way() -> None:
    assert "drop" not in ruleset(Cluster((), PODS, NAMESPACES), "node-0")
