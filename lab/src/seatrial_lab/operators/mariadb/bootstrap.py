"""Who founds a Galera cluster, and who joins it: the part of the operator's work that must never be wrong.

A member starts by reporting how far its data goes, and then waits to be told. As in RHOSO:

- while some member is synced, all others are told to join;
- when none is, the one that says it may (`safe_to_bootstrap`: it was the last to be stopped cleanly) founds the
  cluster; failing that, the one whose data goes furthest, once every member has reported.

Two founders would be two clusters under one name. That is why a cluster is only founded if no member that is running
could already belong to one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from seatrial_lab.operators.common.kube import Kube, KubeError
from seatrial_lab.operators.common.resources import Json

CONTAINER: Final = "galera"
FOUND: Final = "gcomm://"
SCRIPTS: Final = "/var/lib/operator-scripts"
NOWHERE: Final = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Member:
    """One pod of the cluster, as Kubernetes sees it."""

    name: str
    container: str  # its id; empty while no container runs
    started: bool  # it has been part of a primary component in this container's life
    ready: bool  # it is synced


@dataclass(frozen=True, slots=True)
class Report:
    """How far a waiting member's data goes, and what its container has been told to do, if anything."""

    container: str
    uuid: str
    seqno: int
    safe: bool
    empty: bool = False  # it has no data at all: not the same as data that can't be read
    told: str = ""


def members_of(pods: Iterable[Json], names: Sequence[str]) -> list[Member]:
    """The members among the pods that the cluster is to have; pods on their way out are none."""
    found = []
    for pod in pods:
        meta, status = pod["metadata"], pod.get("status") or {}
        if meta["name"] not in names or meta.get("deletionTimestamp"):
            continue
        containers = status.get("containerStatuses") or ()
        own: Json = next((container for container in containers if container["name"] == CONTAINER), {})
        running = "running" in (own.get("state") or {})
        conditions = status.get("conditions") or ()
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        container = own.get("containerID", "") if running else ""
        found.append(Member(meta["name"], container, bool(running and own.get("started")), running and ready))
    return sorted(found, key=lambda member: member.name)


def orders(members: Sequence[Member], reports: Mapping[str, Report], *, expected: int, join: str) -> dict[str, str]:
    """What to tell which waiting member now; nothing as long as it can't be known."""
    untold = [m for m in members if m.container and m.name in reports and not reports[m.name].told]
    if any(member.ready for member in members):
        return {member.name: join for member in untold}
    # Whoever has been told something may be in a cluster, or about to be: unless it was told to join and never got in.
    told = [m for m in members if m.container and m not in untold]
    if any(m.started or m.name not in reports or reports[m.name].told == FOUND for m in told):
        return {}
    safe = [member.name for member in untold if reports[member.name].safe]
    if safe and not told:
        return {safe[0]: FOUND}
    everybody = {m.name: reports[m.name] for m in members if m.name in reports}
    if len(everybody) < expected or unrecoverable(everybody, expected=expected):
        return {}
    furthest = max(_reach(report) for report in everybody.values())
    founder = next((member.name for member in untold if _reach(reports[member.name]) == furthest), None)
    return {founder: FOUND} if founder else {}


def unrecoverable(reports: Mapping[str, Report], *, expected: int) -> bool:
    """Whether all members have reported, some have data, and nobody can tell how far any of it goes.

    Founding a cluster then would declare lost what a person might still save.
    """
    known = any(report.uuid != NOWHERE for report in reports.values())
    return len(reports) == expected and not known and not all(report.empty for report in reports.values())


def _reach(report: Report) -> tuple[bool, int]:
    return report.uuid != NOWHERE, report.seqno


async def ask(kube: Kube, member: Member, *, namespace: str) -> Report | None:
    """A member's report; None while it has none, or its container is gone again."""
    try:
        answer = await kube.exec(
            member.name, [f"{SCRIPTS}/report_position.sh"], namespace=namespace, container=CONTAINER
        )
    except KubeError:
        return None
    if answer.status:
        return None
    position, _, told = answer.stdout.strip().partition("\n")
    said = json.loads(position)
    return Report(
        member.container, said["uuid"], int(said["seqno"]), said["safe_to_bootstrap"], said["empty"], told.strip()
    )


async def tell(kube: Kube, member: str, order: str, *, namespace: str) -> bool:
    """Tell a waiting member to found or to join; False if it could not be told."""
    try:
        answer = await kube.exec(
            member, [f"{SCRIPTS}/set_gcomm_uri.sh", order], namespace=namespace, container=CONTAINER
        )
    except KubeError:
        return False
    return answer.status == 0


async def gather_reports(
    kube: Kube, members: Sequence[Member], known: Mapping[str, Report], *, namespace: str
) -> dict[str, Report]:
    """The reports of all members that have one; members that are ready, or are known already, are not asked."""
    reports = {m.name: known[m.name] for m in members if m.name in known and known[m.name].container == m.container}
    unknown = [m for m in members if m.container and not m.ready and m.name not in reports]
    answers = await asyncio.gather(*(ask(kube, member, namespace=namespace) for member in unknown))
    return reports | {m.name: answer for m, answer in zip(unknown, answers, strict=True) if answer is not None}


def as_attributes(reports: Mapping[str, Report]) -> Json:
    """Reports as `Galera.status.attributes` shows them."""
    return {
        name: {
            "uuid": report.uuid,
            "seqno": str(report.seqno),
            "containerID": report.container,
            "safe_to_bootstrap": report.safe,
            "empty": report.empty,
            **({"gcomm": report.told} if report.told else {}),
        }
        for name, report in sorted(reports.items())
    }


def from_attributes(attributes: Json) -> dict[str, Report]:
    """Reports as an earlier round, perhaps of an earlier operator process, left them in the status."""
    return {
        name: Report(
            container=said.get("containerID", ""),
            uuid=said.get("uuid", NOWHERE),
            seqno=int(said.get("seqno", -1)),
            safe=bool(said.get("safe_to_bootstrap")),
            empty=bool(said.get("empty")),
            told=said.get("gcomm", ""),
        )
        for name, said in attributes.items()
    }
