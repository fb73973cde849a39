"""DB-4: the members of a database are one multi-master cluster with synchronous replication.

Two views: what each member says about itself, and rows written on each member and read on all others by sessions that
wait for what the cluster accepted before.

Not seen: rows that diverged before the trial; members that nobody declared. Of a cluster with one member this can
only say that it is whole; that it is too small is DB-5's and SCALE-1's to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from seatrial.checks.reading import latest, mapping, text, whole
from seatrial.checks.weighing import Weighing, not_applicable
from seatrial.model.inventory import Component, Resource, Role
from seatrial.model.observation import Evidence, Json, Observation
from seatrial.model.verdict import Verdict

_ON_THE_WAY = ("Joining", "Joined", "Donor", "Desynced", "Donor/Desynced")
"""States of a member that is being brought up to date: neither a violation nor a proof."""


def check(evidence: Evidence) -> Verdict:
    """Judge DB-4."""
    clusters = evidence.inventory.of_kind("Galera")
    weighing = Weighing(evidence)
    weighing.gaps(evidence.inventory, "Galera")
    if not clusters and not evidence.inventory.gaps:
        return not_applicable(evidence, "this deployment has no Galera resource")
    weighing.blind(*[o for p in _PROBES for o in latest(evidence.of(p)).values() if not o.seen])
    for cluster in clusters:
        _judge_status(evidence, weighing, cluster)
        _judge_rows(evidence, weighing, cluster)
    names = ", ".join(f"{c.name} ({c.replicas})" for c in clusters)
    return weighing.verdict(
        f"all members of {names} are Primary, Synced, of one cluster of the declared size, and read each other's rows"
    )


_PROBES = ("galera.status", "galera.replication")


def _members(evidence: Evidence, cluster: Resource) -> dict[str, str]:
    """Return pod name to subject of a cluster's members."""
    return {
        replica.name: replica.subject
        for component in evidence.inventory.of_role(Role.DATABASE)
        if _belongs(component, cluster)
        for replica in component.replicas
    }


def _belongs(component: Component, cluster: Resource) -> bool:
    return any(owner.uid == cluster.uid for owner in component.owners)


def _judge_status(evidence: Evidence, weighing: Weighing, cluster: Resource) -> None:
    declared = cluster.replicas or 1
    members = _members(evidence, cluster)
    looks = [o for s, o in latest(evidence.of("galera.status")).items() if s in members.values() and o.seen]
    if len(looks) < declared:
        weighing.doubt(f"{cluster.subject} declares {declared} members, {len(looks)} told their state", *looks)
    uuids = Counter(str(mapping(o.value).get("wsrep_cluster_state_uuid", "")) for o in looks)
    for look in looks:
        value = mapping(look.value)
        wrong = _wrong(value, declared)
        uuid = str(value.get("wsrep_cluster_state_uuid", ""))
        if uuids and uuids[uuid] < max(uuids.values()):
            wrong.append(f"is of another cluster ({uuid})")
        state = str(value.get("wsrep_local_state_comment", ""))
        if wrong:
            weighing.bad(look.subject, f"{look.subject} {', '.join(wrong)}", look)
        elif state != "Synced":
            weighing.doubt(f"{look.subject} is {state or 'in no state'}, not yet Synced", look)
        else:
            weighing.good(look.subject, look)
    if len(looks) > 1 and max(uuids.values()) == 1:
        for look in looks:
            weighing.bad(look.subject, f"the members of {cluster.subject} are of {len(uuids)} different clusters", look)


def _wrong(value: Mapping[str, Json], declared: int) -> list[str]:
    found: list[str] = []
    if str(value.get("wsrep_on", "OFF")) != "ON":
        found.append("has wsrep_on OFF: it replicates nothing")
    status = str(value.get("wsrep_cluster_status", ""))
    if status != "Primary":
        found.append(f"has cluster status {status or 'unknown'}, not Primary")
    size = whole(value.get("wsrep_cluster_size", "0") or "0")
    if size != declared:
        found.append(f"sees a cluster of {size}, not of {declared}")
    state = str(value.get("wsrep_local_state_comment", ""))
    if state not in ("Synced", *_ON_THE_WAY):
        found.append(f"is {state or 'in no state'}, not Synced")
    return found


def _judge_rows(evidence: Evidence, weighing: Weighing, cluster: Resource) -> None:
    members = _members(evidence, cluster)
    looks = [o for s, o in latest(evidence.of("galera.replication")).items() if s in members.values() and o.seen]
    writers = {text(o.subject).rpartition("/")[2] for o in looks}
    if not looks:
        weighing.doubt(f"no row was written on the members of {cluster.subject}")
    elif missing := sorted(set(members) - writers):
        weighing.doubt(f"no row was written on {', '.join(missing)}")
    blame: Counter[str] = Counter()
    by_pod: dict[str, Observation] = {}
    for look in looks:
        value = mapping(look.value)
        writer = text(look.subject).rpartition("/")[2]
        by_pod[writer] = look
        if not value["written"]:
            if value.get("refused"):
                weighing.bad(look.subject, f"{look.subject} takes no row: {value.get('why')}", look)
            else:
                weighing.doubt(f"no row could be written on {look.subject}: {value.get('why')}", look)
            continue
        for reader, read in mapping(value["read"]).items():
            if read is None:
                weighing.doubt(f"{reader} could not be asked for the row of {writer}", look)
            elif not read:
                blame[writer] += 1
                blame[reader] += 1
            else:
                weighing.good(members.get(reader, reader), look)
    # Whoever is cut off misses the others' rows and they miss its own: it takes part in most of the failures.
    for pod in (pod for pod, times in blame.items() if times == max(blame.values())):
        why = f"rows are not shared with {pod} ({blame[pod]} of the reads that it takes part in failed)"
        weighing.bad(members.get(pod, pod), why, *([by_pod[pod]] if pod in by_pod else looks))
