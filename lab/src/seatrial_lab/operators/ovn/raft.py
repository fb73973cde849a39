"""The members of a database's raft, as they themselves tell, and what an operator has to do about them.

That a member which lost its volume, or was removed while away, takes its old place is its own matter (setup.sh). What
is left: servers whose pods are not asked for any more, and the election timer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from seatrial_lab.operators.common.conditions import pod_is_ready
from seatrial_lab.operators.common.kube import KubeError, hash_of
from seatrial_lab.operators.common.reconciler import NotYet, Round
from seatrial_lab.operators.common.resources import POD, Json

CONDITION: Final = "DeploymentReady"
LOOK_AGAIN_S: Final = 2.0
_FIELD: Final = re.compile(r"^(Cluster ID|Server ID|Address|Role|Election timer): (?:\w+ \()?([^()\n]*)", re.MULTILINE)
_SERVER: Final = re.compile(r"^ +\w+ \((\w+) at ([^)\s]+)\)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Member:
    """What one server says of itself and the others."""

    cluster: str
    server: str
    """Its identifier, as short as the list of servers has it."""
    leads: bool
    timer_ms: int
    servers: Mapping[str, str]
    """All servers of the cluster as it knows it: identifier and address."""


@dataclass(frozen=True, slots=True)
class Raft:
    """One database's raft as it should be."""

    database: str
    control: str
    """The server's control socket, in its container."""
    container: str
    labels: Mapping[str, str]
    addresses: Sequence[str]
    """Where its servers are to be, one for each pod."""
    timer_ms: int


@dataclass(frozen=True, slots=True)
class Repair:
    """What has to be done: orders to the leader, or what only time or a person can put right."""

    orders: tuple[tuple[str, ...], ...] = ()
    complaint: str = ""

    @property
    def needed(self) -> bool:
        """Whether there is anything to do or to say."""
        return bool(self.orders or self.complaint)


def member_of(answer: str) -> Member:
    """Read what `cluster/status` answers."""
    said = dict(_FIELD.findall(answer))
    server = said["Server ID"]
    servers = dict(_SERVER.findall(answer))
    short = next((each for each in servers if server.startswith(each)), server[:4])
    return Member(said["Cluster ID"], short, said["Role"] == "leader", int(said["Election timer"]), servers)


def repair_of(raft: Raft, members: Mapping[str, Member]) -> Repair:
    """What has to be done, from what the pods say; `members` by pod."""
    if len({member.cluster for member in members.values()}) > 1:
        return Repair(complaint=f"pods are in different clusters: {', '.join(sorted(members))}")
    leader = next((member for member in members.values() if member.leads), None)
    if leader is None:
        return Repair(complaint="no server leads")
    known = {member.server for member in members.values()}
    taken = {address for server, address in leader.servers.items() if server in known}
    orders = [
        ("cluster/kick", server)
        for server, address in sorted(leader.servers.items())
        if server not in known and (address not in raft.addresses or address in taken)
    ]
    if leader.timer_ms != raft.timer_ms:
        # It may be doubled at most, each time.
        orders.append(("cluster/change-election-timer", str(min(raft.timer_ms, 2 * leader.timer_ms))))
    return Repair(tuple(orders))


async def tend(this: Round, raft: Raft) -> None:
    """Put the raft right; NotYet while it is not whole. It is looked at whenever the set of ready pods has changed."""
    pods = [pod for pod in await this.list(POD, raft.labels) if pod_is_ready(pod)]
    seen = hash_of([sorted(raft.addresses), raft.timer_ms, sorted(map(_incarnation, pods))])
    if not pods or (this.status.get("hash") or {}).get("raft") == seen:
        return
    names = [str(pod["metadata"]["name"]) for pod in pods]
    members = {name: member_of(await _ask(this, raft, name, "cluster/status")) for name in names}
    repair = repair_of(raft, members)
    leader = next((name for name, member in members.items() if member.leads), "")
    for verb, *arguments in repair.orders:
        await _ask(this, raft, leader, verb, *arguments)
    if repair.needed:
        severity = "Warning" if repair.complaint else "Info"
        message = repair.complaint or "servers that are gone for good are being removed"
        raise NotYet(CONDITION, message, look_again_s=LOOK_AGAIN_S, severity=severity)
    if sorted(members[leader].servers.values()) != sorted(raft.addresses):
        told = f"{len(members[leader].servers)} of {len(raft.addresses)} servers are in the cluster"
        raise NotYet(CONDITION, told, look_again_s=LOOK_AGAIN_S)
    this.status["hash"] = {**(this.status.get("hash") or {}), "raft": seen}


async def _ask(this: Round, raft: Raft, pod: str, verb: str, *arguments: str) -> str:
    argv = ["ovs-appctl", "-T", "10", "-t", raft.control, verb, raft.database, *arguments]
    done = await this.kube.exec(pod, argv, namespace=this.namespace, container=raft.container)
    if done.status != 0:
        raise KubeError(f"{verb} in {pod}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _incarnation(pod: Json) -> list[str]:
    """What changes whenever a pod's containers are new ones."""
    containers = (pod.get("status") or {}).get("containerStatuses") or ()
    return [str(pod["metadata"]["name"]), *sorted(str(container.get("containerID")) for container in containers)]
