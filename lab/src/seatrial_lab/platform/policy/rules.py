"""From policies, pods and namespaces to the nftables rules of one node. Pure: no clock, no I/O.

The rules stand in the forward hook, where a packet to a Service has its pod's address already and a pod's own address
is not masqueraded yet. What a node itself says to its pods, and they to it, never passes there: kubelet's probes and
pods on the node's network are under no policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from itertools import groupby

from seatrial_lab.platform.policy.objects import Json, Labels, Pod, Policy, selects

TABLE = "inet network-policy"
BRIDGE = "cni0"
"""The pods' bridge on every node."""
COMMENT = 120
"""Longer ones nftables refuses."""


@dataclass(frozen=True, slots=True)
class Allow:
    """One thing that an isolated pod may do."""

    peers: tuple[IPv4Network, ...] | None = None
    """With whom; None: with everybody."""
    protocol: str | None = None
    """None: any."""
    ports: tuple[int, int] | None = None
    """The far end's, or for ingress the pod's own, first and last; None: all of the protocol."""


@dataclass(frozen=True, slots=True)
class Isolation:
    """A pod that may in one direction do only what some policy allows."""

    direction: str
    pod: Pod
    policies: tuple[str, ...]
    """By which policies."""
    allows: tuple[Allow, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """All that policies are about."""

    policies: Sequence[Policy] = ()
    pods: Sequence[Pod] = ()
    namespaces: Mapping[str, Labels] | None = None

    def isolations(self, node: str) -> list[Isolation]:
        """Return which pods of a node are isolated and what each may do: what any of its policies allows."""
        found: dict[tuple[str, Pod], tuple[list[str], dict[Allow, None]]] = {}
        here = sorted((pod for pod in self.pods if pod.node == node), key=lambda pod: (pod.namespace, pod.name))
        for policy in sorted(self.policies, key=lambda policy: (policy.namespace, policy.name)):
            selector = policy.spec.get("podSelector") or {}
            chosen = [pod for pod in here if pod.namespace == policy.namespace and selects(selector, pod.labels)]
            for direction in policy.directions if chosen else ():
                books = [(pod, *found.setdefault((direction, pod), ([], {}))) for pod in chosen]
                for _, names, _ in books:
                    names.append(f"{policy.namespace}/{policy.name}")
                for rule in policy.spec.get(direction.lower()) or ():
                    peers = self._peers(rule.get("from" if direction == "Ingress" else "to"), policy.namespace)
                    for pod, _, allows in books:
                        allows.update(dict.fromkeys(_allows(rule.get("ports"), peers, pod, direction)))
        return [
            Isolation(direction, pod, tuple(names), tuple(allows))
            for (direction, pod), (names, allows) in found.items()
        ]

    def _peers(self, entries: Sequence[Json] | None, namespace: str) -> _Peers:
        if not entries:
            return _Peers(self.pods, None)
        pods = [pod for pod in self.pods if any(self._is_peer(pod, entry, namespace) for entry in entries)]
        blocks = [net for entry in entries if "ipBlock" in entry for net in _block(entry["ipBlock"])]
        return _Peers(pods, _together([*blocks, *(IPv4Network(own) for pod in pods for own in pod.addresses)]))

    def _is_peer(self, pod: Pod, entry: Json, namespace: str) -> bool:
        if "ipBlock" in entry:
            return False
        if "namespaceSelector" not in entry:
            where = pod.namespace == namespace
        else:
            labels = (self.namespaces or {}).get(pod.namespace)
            where = labels is not None and selects(entry["namespaceSelector"], labels)
        return where and selects(entry.get("podSelector") or {}, pod.labels)


@dataclass(frozen=True, slots=True)
class _Peers:
    """Whom a rule is about."""

    pods: Sequence[Pod]
    networks: tuple[IPv4Network, ...] | None
    """All their addresses, and ranges of others; None: everybody."""


def _together(networks: Iterable[IPv4Network]) -> tuple[IPv4Network, ...]:
    """Return the same addresses without overlaps, as nftables wants them."""
    return tuple(collapse_addresses(networks))


def _block(block: Json) -> Iterator[IPv4Network]:
    """Yield what is left of a range after its exceptions; IPv6 is not spoken here."""
    if ":" in block["cidr"]:
        return
    left = [IPv4Network(block["cidr"], strict=False)]
    for text in block.get("except") or ():
        hole = IPv4Network(text, strict=False)
        left = [part for net in left for part in _without(net, hole)]
    yield from left


def _without(net: IPv4Network, hole: IPv4Network) -> Iterable[IPv4Network]:
    if net.subnet_of(hole):
        return ()
    return net.address_exclude(hole) if hole.subnet_of(net) else (net,)


def _allows(ports: Sequence[Json] | None, peers: _Peers, pod: Pod, direction: str) -> Iterator[Allow]:
    """Yield what one rule lets a pod do; a named port is looked up in the pod that listens."""
    everything: Sequence[Json | None] = ports or (None,)
    for port in everything:
        if port is None:
            found = Allow(peers.networks)
        else:
            protocol, wanted = port.get("protocol", "TCP"), port.get("port")
            if isinstance(wanted, str):
                yield from _named(wanted, protocol, peers, pod, direction)
                continue
            last = port.get("endPort") or wanted
            found = Allow(peers.networks, protocol, (wanted, last) if wanted and last else None)
        if found.peers != ():
            yield found


def _named(name: str, protocol: str, peers: _Peers, pod: Pod, direction: str) -> Iterator[Allow]:
    if direction == "Ingress":
        number = pod.port(name, protocol)
        if number is not None and peers.networks != ():
            yield Allow(peers.networks, protocol, (number, number))
        return
    numbered = sorted((number, peer.addresses) for peer in peers.pods if (number := peer.port(name, protocol)))
    for number, group in groupby(numbered, key=lambda pair: pair[0]):
        if networks := _together(IPv4Network(own) for _, some in group for own in some):
            yield Allow(networks, protocol, (number, number))


def ruleset(cluster: Cluster, node: str) -> str:
    """Return the text that makes nftables enforce the policies on one node, all at once or not at all."""
    isolations = cluster.isolations(node)
    known = sorted(address for pod in cluster.pods if pod.node == node for address in pod.addresses)
    forward = ["type filter hook forward priority filter; policy accept;"]
    if isolations:
        # Answers pass; what was asked for is judged packet by packet, so that a new policy cuts what is open.
        forward += ["ct direction reply ct state established accept", "ct state related accept"]
        # Pods have no IPv6 but for link-local addresses, which would go round every policy.
        forward += [f'iifname "{BRIDGE}" meta nfproto ipv6 drop']
        if known:  # A pod may talk to itself, by way of a Service too.
            forward += [f"ip saddr . ip daddr {_set(f'{own} . {own}' for own in known)} accept"]
    chains = []
    for direction, interface, field in (("Egress", "iifname", "saddr"), ("Ingress", "oifname", "daddr")):
        ours = [isolation for isolation in isolations if isolation.direction == direction]
        if any(not isolation.pod.addresses for isolation in ours):
            # An isolated pod is about to start, and must not talk before its address is known.
            others = f"ip {field} != {_set(known)} " if known else ""
            forward.append(f'{interface} "{BRIDGE}" {others}drop')
        shared: dict[tuple[str, ...], list[IPv4Address]] = {}
        for isolation in ours:
            shared.setdefault(tuple(_judge(isolation)), []).extend(isolation.pod.addresses)
        names = {f"{direction.lower()}-{n}": lines for n, lines in enumerate(shared)}
        chains += [_chain(name, *lines) for name, lines in names.items()]
        jumps = [f"{own} : jump {name}" for name, lines in names.items() for own in shared[lines]]
        if jumps:
            forward.append(f"ip {field} vmap {_set(jumps)}")
    body = "".join([*chains, _chain("forward", *forward)])
    return f"table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n{body}}}\n"


def _judge(isolation: Isolation) -> Iterator[str]:
    """Yield the lines that judge the packets of pods isolated like this one; to return is to pass."""
    far = "daddr" if isolation.direction == "Egress" else "saddr"
    yield f'comment "{" ".join(isolation.policies)[:COMMENT]}"'
    for allow in isolation.allows:
        whom = "" if allow.peers is None else f"ip {far} {_set(allow.peers)} "
        protocol = f"meta l4proto {allow.protocol.lower()} " if allow.protocol else ""
        ports = f"th dport {'-'.join(map(str, dict.fromkeys(allow.ports)))} " if allow.ports else ""
        yield f"{whom}{protocol}{ports}return"
    yield "drop"


def _set(items: Iterable[IPv4Address | IPv4Network | str]) -> str:
    return f"{{ {', '.join(str(item) for item in items)} }}"


def _chain(name: str, *lines: str) -> str:
    return f"\tchain {name} {{\n" + "".join(f"\t\t{line}\n" for line in lines) + "\t}\n"
