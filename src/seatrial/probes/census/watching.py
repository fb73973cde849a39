"""A stretch of time during which the sockets of every pod are read; one Observation at its end.

A call is missed only if neither end's socket, TIME_WAIT included, lives at any sample. TIME_WAIT lasts 60 s on the end
that closed first, so reading every pod more often than that sees every call that was closed in good order, those up
to a minute before the first sample too. Not seen: calls that were reset (no TIME_WAIT), attempts that nobody answered,
UDP, traffic inside one pod, and calls from the ports that the harness calls from (``speak.CALLS_FROM``). Calls that
pods made which were gone before the watch began are counted, not judged.
"""

from __future__ import annotations

import importlib.resources
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from seatrial.clients import in_pod
from seatrial.clients.deployment import Deployment
from seatrial.clients.kube import Kube, Manifest
from seatrial.clients.looking import observed
from seatrial.model.errors import NotPermitted, Unreachable
from seatrial.model.inventory import Inventory
from seatrial.model.known import cut
from seatrial.model.observation import Json, Observation
from seatrial.probes.census import parties, ports
from seatrial.probes.census.joining import Edge, Proof, Seen, join
from seatrial.probes.census.parties import Directory, Party, PodNetwork
from seatrial.probes.census.sockets import SCRIPT, End, Sample, parse
from seatrial.probes.census.speak import CALLS_FROM

TIME_WAIT_S = 60.0
"""How long Linux keeps the end that closed first (TCP_TIMEWAIT_LEN); not adjustable."""
_MARGIN_S = 5.0
_EVERY_S = 15.0
_AT_ONCE = 4
_EXEC_S = 15.0
_PATIENCE_S = 4.0


@dataclass(slots=True)
class _Watch:
    """What accumulates while watching."""

    seen: Seen = field(default_factory=Seen)
    looked: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Subject to the moments at which it was read."""
    first: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    """Subject to when it was first and last known to run."""
    why: dict[str, str] = field(default_factory=dict)
    """Subject to the last reason why it could not be read."""
    pods: dict[str, Manifest] = field(default_factory=dict)
    """Every pod of the deployment that ran at some sample, by uid."""
    others: dict[str, Manifest] = field(default_factory=dict)
    networks: dict[PodNetwork, None] = field(default_factory=dict)


def watch(
    deployment: Deployment,
    inventory: Inventory,
    *,
    watch_s: float = TIME_WAIT_S,
    every_s: float = _EVERY_S,
    spared: Collection[str] = (),
) -> tuple[Observation, ...]:
    """Watch all connections of the deployment for ``watch_s`` seconds and return one ``census`` Observation.

    Listeners are spoken to at the end, those only of which a Service or a pod declares that clients come to them;
    ``spared``: subjects that are hurt meanwhile, whose components nobody speaks to.
    ``every_s``: seconds between two samples of a pod; at most 55, or calls could slip through. The value is {watched_s,
    samples, from, to, read: [subject], unread: [{subject, why}], edges: [{from, to, port, via, protocol, proof,
    count}],
    listeners: [{..., port, protocol, proof}], spoken_error, departed: [{address, connections}]}; each side of an edge,
    and each listener, is {service, component, replica, role, subject, process}.
    """
    subject = f"deployment/{deployment.target.name}"
    every_s = min(every_s, TIME_WAIT_S - _MARGIN_S)
    asked_at, started = datetime.now(UTC), time.monotonic()
    try:
        value: Json = _census(
            deployment, inventory, until=started + watch_s, every_s=every_s, asked_at=asked_at, spared=spared
        )
        error = None
    except (Unreachable, NotPermitted) as problem:
        value, error = None, f"{type(problem).__name__}: {problem}"
    took = time.monotonic() - started
    return (observed("census", subject, value, asked_at=asked_at, took_s=took, error=error),)


def _census(
    deployment: Deployment,
    inventory: Inventory,
    *,
    until: float,
    every_s: float,
    asked_at: datetime,
    spared: Collection[str],
) -> dict[str, Json]:
    kube, state, samples = deployment.kube, _Watch(), 0
    while True:
        _sample(deployment, state, first=samples == 0)
        samples += 1
        left = until - time.monotonic()
        if left <= 0:
            break
        threading.Event().wait(min(every_s, left))
    ended_at = datetime.now(UTC)
    platform = _platform_service(kube)
    book = parties.directory(
        inventory,
        list(state.pods.values()),
        others=state.others.values(),
        nodes=_nodes(kube),
        networks=state.networks,
    )
    book = parties.platform_api(book, platform)
    known = ports.declared(inventory, state.pods.values(), spared=spared)
    proofs, spoken_error = _speak(kube, inventory, known & state.seen.listeners.keys(), platform)
    read, unread = _coverage(state)
    seen, departed = state.seen.without_calls_from(CALLS_FROM).of_the_watch(book)
    edges = join(seen, book, proofs)
    return {
        "watched_s": round((ended_at - asked_at).total_seconds(), 3),
        "samples": samples,
        "from": asked_at.isoformat(),
        "to": ended_at.isoformat(),
        "read": cast("list[Json]", read),
        "unread": cast("list[Json]", unread),
        "edges": [_edge(edge, count) for edge, count in sorted(edges.items(), key=_by_name)],
        "listeners": _listeners(state, book, proofs),
        "spoken_error": spoken_error,
        "departed": [{"address": ip, "connections": count} for ip, count in sorted(departed.items())],
    }


def _sample(deployment: Deployment, state: _Watch, *, first: bool) -> None:
    """Read every pod of the deployment once, a few at a time."""
    pods = _pods(deployment, state)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        looks = list(pool.map(lambda pod: _look_into(deployment.kube, pod), pods))
    for pod, (samples, why) in zip(pods, looks, strict=True):
        subject = f"pod/{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        if samples:
            state.looked[subject].append(time.monotonic())
            for ip in _own_addresses(pod):
                state.seen.add(ip, samples, first=first)
            for sample in samples:
                state.networks[PodNetwork(pod["spec"].get("nodeName", ""), sample.gateways, sample.networks)] = None
        if why:
            state.why[subject] = why


def _pods(deployment: Deployment, state: _Watch) -> list[Manifest]:
    names = deployment.target.namespaces
    spaces = {names.control_plane, names.operators}
    try:
        everywhere = deployment.kube.list("Pod")
    except NotPermitted:
        # The rest of the platform stays unnamed then; the deployment itself must be readable.
        everywhere = [pod for space in sorted(spaces) for pod in deployment.kube.list("Pod", namespace=space)]
    now = time.monotonic()
    running: list[Manifest] = []
    for pod in everywhere:
        if not _containers(pod) or not pod["status"].get("podIP"):
            # Where nothing runs, nothing talks.
            continue
        uid = pod["metadata"]["uid"]
        if pod["metadata"]["namespace"] not in spaces:
            state.others[uid] = pod
            continue
        state.pods[uid] = pod
        subject = f"pod/{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        state.first.setdefault(subject, now)
        state.last[subject] = now
        if pod["spec"].get("hostNetwork"):
            state.why[subject] = "it uses its node's network: its sockets can't be told from the node's"
        else:
            running.append(pod)
    return running


def _look_into(kube: Kube, pod: Manifest) -> tuple[list[Sample], str]:
    """Return one sample for each running container: the sockets are the pod's, the processes are each one's own."""
    metadata = pod["metadata"]
    samples: list[Sample] = []
    why = ""
    for container in _containers(pod):
        try:
            answer = kube.exec(
                metadata["name"],
                ["sh", "-c", SCRIPT],
                namespace=metadata["namespace"],
                container=container,
                timeout_s=_EXEC_S,
            )
        except (Unreachable, NotPermitted) as problem:
            why = str(problem)
            continue
        sample = parse(answer.stdout)
        if sample.complete and not sample.malformed:
            samples.append(sample)
        else:
            why = f"container {container} answered with status {answer.status}: {cut(answer.stderr.strip(), 120)}"
    # One container is enough to see the pod's sockets; what the others would have added is names of processes.
    return samples, "" if samples else why


def _containers(pod: Manifest) -> list[str]:
    """Return the containers of a pod that run now."""
    status = pod.get("status") or {}
    statuses = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return [c["name"] for c in statuses if "running" in (c.get("state") or {})]


def _own_addresses(pod: Manifest) -> list[str]:
    return [entry["ip"] for entry in pod["status"].get("podIPs") or [{"ip": pod["status"]["podIP"]}]]


def _coverage(state: _Watch) -> tuple[list[str], list[dict[str, Json]]]:
    """Tell which pods were read without a gap in which a call could have come and gone, and which were not."""
    read: list[str] = []
    unread: list[dict[str, Json]] = []
    for subject in sorted(state.first):
        moments = state.looked.get(subject, [])
        if not moments:
            unread.append({"subject": subject, "why": state.why.get(subject, "it was not looked at")})
            continue
        edges = [state.first[subject], *moments, state.last[subject]]
        longest = max(later - earlier for earlier, later in itertools.pairwise(edges))
        if longest > TIME_WAIT_S - _MARGIN_S:
            why = f"not read for {longest:.0f} s: {state.why.get(subject, 'the platform was slow')}"
            unread.append({"subject": subject, "why": why})
        else:
            read.append(subject)
    return read, unread


def _speak(
    kube: Kube, inventory: Inventory, listeners: Collection[End], platform: Manifest | None
) -> tuple[dict[End, Proof], str | None]:
    """Speak to listeners, from inside; returns what they said, or why nobody could be spoken to."""
    ends: list[Json] = [[end.ip, end.port] for end in sorted(listeners)]
    if platform is not None:
        ends += [[platform["spec"]["clusterIP"], int(port["port"])] for port in platform["spec"]["ports"]]
    if not ends:
        return {}, None
    source = (importlib.resources.files("seatrial.probes.census") / "speak.py").read_text(encoding="utf-8")
    try:
        answer = in_pod.run_anywhere(
            kube, in_pod.places(inventory), source, {"ends": ends, "patience_s": _PATIENCE_S}, timeout_s=90
        )
    except (Unreachable, NotPermitted) as problem:
        return {}, str(problem)
    told = cast("Mapping[str, Any]", answer)
    proofs = {End(s["ip"], int(s["port"])): Proof(str(s["protocol"]), str(s["proof"])) for s in told["said"]}
    return proofs, None


def _nodes(kube: Kube) -> list[Manifest]:
    try:
        return kube.list("Node")
    except (Unreachable, NotPermitted):
        # Then nodes are known by what pods see of them alone.
        return []


def _platform_service(kube: Kube) -> Manifest | None:
    try:
        return kube.get("Service", "kubernetes", namespace="default")
    except (Unreachable, NotPermitted):
        return None


def _listeners(state: _Watch, book: Directory, proofs: Mapping[End, Proof]) -> list[Json]:
    found: list[Json] = []
    for end, process in sorted(state.seen.listeners.items()):
        party, proof = book.name(end.ip), proofs.get(end, Proof("unknown", "not spoken to"))
        found.append(
            {
                "service": party.service,
                "component": party.component,
                "replica": party.replica,
                "role": party.role,
                "subject": party.subject,
                "process": process,
                "port": end.port,
                "protocol": proof.protocol,
                "proof": proof.proof,
            }
        )
    return found


def _edge(edge: Edge, count: int) -> dict[str, Json]:
    return {
        "from": _side(edge.caller, edge.caller_process),
        "to": _side(edge.server, edge.server_process),
        "port": edge.port,
        "via": edge.via,
        "protocol": edge.proof.protocol,
        "proof": edge.proof.proof,
        "count": count,
    }


def _side(party: Party, process: str | None) -> dict[str, Json]:
    return {
        "service": party.service,
        "component": party.component,
        "replica": party.replica,
        "role": party.role,
        "subject": party.subject,
        "process": process,
    }


def _by_name(item: tuple[Edge, int]) -> tuple[str, ...]:
    edge = item[0]
    sides: Sequence[str | None] = (
        edge.caller.service,
        edge.caller.component,
        edge.caller.replica,
        edge.server.service,
        edge.server.component,
        edge.server.replica,
        f"{edge.port:05d}",
        edge.via,
        edge.caller_process,
        edge.server_process,
    )
    return tuple(part or "" for part in sides)
