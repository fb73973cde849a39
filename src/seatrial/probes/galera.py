"""Each member of each Galera cluster, asked by itself: its state, its clients, and what it sees of others' writes."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from seatrial.clients import galera as sql
from seatrial.clients.deployment import Deployment
from seatrial.clients.kube import Kube, Manifest
from seatrial.clients.looking import look
from seatrial.model.errors import Unreachable
from seatrial.model.inventory import Component, Inventory, Replica, Role
from seatrial.model.observation import Json, Observation
from seatrial.model.target import Secret

_STATUS = (
    "wsrep_cluster_status",
    "wsrep_cluster_size",
    "wsrep_cluster_state_uuid",
    "wsrep_local_state_comment",
    "wsrep_local_index",
    "wsrep_ready",
    "wsrep_connected",
    "wsrep_incoming_addresses",
    "wsrep_last_committed",
)
_VARIABLES = ("wsrep_on", "wsrep_provider", "wsrep_cluster_name")
_SAMPLES_PER_S = 4


@dataclass(frozen=True, slots=True)
class Member:
    """One pod of one Galera cluster."""

    cluster: str
    """The CR's name."""
    namespace: str
    replica: Replica


def members(inventory: Inventory) -> tuple[Member, ...]:
    """Return all pods of all Galera clusters."""
    return tuple(
        Member(_cluster(component), component.namespace, replica)
        for component in inventory.of_service("galera")
        if component.role is Role.DATABASE and component.kind != "Pod"
        for replica in component.replicas
    )


def status(deployment: Deployment, inventory: Inventory) -> tuple[Observation, ...]:
    """Return one ``galera.status`` Observation per member: what it says about itself and its cluster."""
    names = ", ".join(f"'{name}'" for name in _STATUS)
    variables = ", ".join(f"'{name}'" for name in _VARIABLES)
    statement = (
        "SELECT LOWER(VARIABLE_NAME) AS name, VARIABLE_VALUE AS value FROM information_schema.GLOBAL_STATUS"  # noqa: S608
        f" WHERE VARIABLE_NAME IN ({names}) UNION ALL"
        " SELECT LOWER(VARIABLE_NAME), VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES"
        f" WHERE VARIABLE_NAME IN ({variables})"
    )
    found: list[Observation] = []
    for member, ask in _each(deployment, inventory):

        def answer(member: Member = member, ask: _Ask = ask) -> Json:
            rows = ask(statement)
            return {"cluster": member.cluster, **{row["name"]: row["value"] for row in rows}}

        found.append(look("galera.status", member.replica.subject, answer))
    return tuple(found)


def replication(deployment: Deployment, inventory: Inventory, *, schema: str, cluster: str) -> tuple[Observation, ...]:
    """Write a row on each member of a cluster, then read all rows on each, in a table of ours in a schema that exists.

    ``cluster``: name of the Galera that has the schema. Returns one ``galera.replication`` Observation per member
    written on: {cluster, row, written, why, refused, read: {pod: bool or null}}. A read waits for the writes that the
    cluster accepted before it (``wsrep_sync_wait=1``); null means that the member could not be asked, ``refused`` that
    the server itself would not take the row. The table is dropped at the end.
    """
    asks = [(member, ask) for member, ask in _each(deployment, inventory) if member.cluster == cluster]
    table = f"`{schema}`.`replication_{uuid.uuid4().hex[:8]}`"
    rows = {member.replica.name: f"row-{uuid.uuid4().hex[:12]}" for member, _ in asks}
    create = f"CREATE TABLE IF NOT EXISTS {table} (id VARCHAR(40) PRIMARY KEY, written_on VARCHAR(253)) ENGINE=InnoDB"
    written: dict[str, tuple[str, bool] | None] = {}
    found: list[Observation] = []
    try:
        for member, ask in asks:
            name = member.replica.name
            insert = f"INSERT INTO {table} VALUES ('{rows[name]}', '{name}')"  # noqa: S608  # names of our own and pods'
            written[name] = _attempt(ask, f"{create}; {insert}")
        reads = {member.replica.name: _rows_on(ask, table) for member, ask in asks}
        for member, _ in asks:
            found.append(look("galera.replication", member.replica.subject, _told(member, rows, written, reads)))
    finally:
        for _, ask in asks:
            _attempt(ask, f"DROP TABLE IF EXISTS {table}")
    return tuple(found)


def sessions(deployment: Deployment, inventory: Inventory, *, watch_s: float = 10.0) -> tuple[Observation, ...]:
    """Watch the process list of each member for a while; one ``galera.sessions`` Observation per member.

    The value names every (user, peer address, schema) seen, in how many of how many samples, and whose account each
    user is: {sessions: [{user, host, db, peer, seen}], accounts: {user: {service, databases}}, samples, watched_s}.
    """
    samples = max(1, int(watch_s * _SAMPLES_PER_S))
    statement = _sampling(samples, watch_s / samples)
    kube = deployment.kube

    def one(member: Member, ask: _Ask) -> Observation:
        def answer() -> Json:
            accounts = _accounts(kube, member.cluster, member.namespace)
            before = _peers(kube, member.namespace)
            rows = ask(statement)
            peers = {**_peers(kube, member.namespace), **before}
            return {
                "cluster": member.cluster,
                "sessions": [_session(who, seen, peers) for who, seen in sorted(_counted(rows).items())],
                "accounts": accounts,
                "samples": samples,
                "watched_s": watch_s,
            }

        return look("galera.sessions", member.replica.subject, answer)

    asks = list(_each(deployment, inventory, timeout_s=watch_s + 30))
    with ThreadPoolExecutor(max(1, len(asks))) as pool:
        # All members at once: a client that moves from one to another during the watch is seen on one of them.
        return tuple(pool.map(lambda pair: one(*pair), asks))


def _session(who: tuple[str, str, str], seen: int, peers: Mapping[str, Json]) -> Json:
    user, host, schema = who
    return {
        "user": user,
        "host": host,
        "db": None if schema == "NULL" else schema,
        "peer": peers.get(host),
        "seen": seen,
    }


_Ask = Callable[[str], list[dict[str, str]]]


def _each(deployment: Deployment, inventory: Inventory, *, timeout_s: float = 20) -> Iterator[tuple[Member, _Ask]]:
    """Yield each member with a way to ask it, which raises when the member, or its password, can't be had."""
    passwords: dict[tuple[str, str], Secret] = {}

    def ask(member: Member, statement: str) -> list[dict[str, str]]:
        key = (member.namespace, member.cluster)
        if key not in passwords:
            manifest = deployment.kube.get("Galera", member.cluster, namespace=member.namespace)
            if manifest is None:
                raise Unreachable(f"there is no galera {member.namespace}/{member.cluster}")
            passwords[key] = sql.root_password(deployment.kube, manifest)
        return sql.query(
            deployment.kube,
            member.replica.name,
            statement,
            namespace=member.namespace,
            password=passwords[key],
            timeout_s=timeout_s,
        )

    for member in members(inventory):
        yield member, partial(ask, member)


def _attempt(ask: _Ask, statement: str) -> tuple[str, bool] | None:
    """Run a statement; return why it had no effect and whether the server itself refused it, or None."""
    try:
        ask(statement)
    except Unreachable as problem:
        return str(problem), isinstance(problem, sql.SqlRefused)
    return None


def _rows_on(ask: _Ask, table: str) -> set[str] | None:
    """Return the rows that a member has, none when it does not even have the table, None when it can't be asked."""
    try:
        return {row["id"] for row in ask(f"SET SESSION wsrep_sync_wait=1; SELECT id FROM {table}")}  # noqa: S608
    except sql.SqlRefused as refused:
        return set() if refused.code in (_NO_SUCH_TABLE, _NO_SUCH_SCHEMA) else None
    except Unreachable:
        return None


_NO_SUCH_TABLE, _NO_SUCH_SCHEMA = 1146, 1049


def _told(
    member: Member,
    rows: Mapping[str, str],
    written: Mapping[str, tuple[str, bool] | None],
    reads: Mapping[str, set[str] | None],
) -> Callable[[], Json]:
    name = member.replica.name
    why, refused = written[name] or (None, False)

    def answer() -> Json:
        return {
            "cluster": member.cluster,
            "row": rows[name],
            "written": written[name] is None,
            "why": why,
            "refused": refused,
            "read": {pod: None if seen is None else rows[name] in seen for pod, seen in reads.items()},
        }

    return answer


_USER, _HOST, _SCHEMA = "its_user", "its_host", "its_schema"


def _sampling(samples: int, every_s: float) -> str:
    """Return statements that look at the process list again and again, in one session, and write nothing anywhere."""
    look_once = (
        f"SELECT user AS {_USER}, LEFT(host, LENGTH(host) - LOCATE(':', REVERSE(host))) AS {_HOST},"  # noqa: S608
        f" IFNULL(db, 'NULL') AS {_SCHEMA} FROM information_schema.processlist"
        " WHERE id <> CONNECTION_ID() AND user NOT IN ('system user', 'event_scheduler', 'unauthenticated user')"
        " GROUP BY 1, 2, 3"
    )
    return f"; DO SLEEP({every_s:.3f}); ".join([look_once] * samples)


def _counted(rows: Sequence[Mapping[str, str]]) -> Counter[tuple[str, str, str]]:
    """Return in how many samples each (user, peer address, schema) was seen.

    Every sample that shows anything comes with a header of its own, which reads as a row of the columns' names.
    """
    return Counter(
        (row[_USER], row[_HOST], row[_SCHEMA]) for row in rows if any(name != cell for name, cell in row.items())
    )


def _accounts(kube: Kube, cluster: str, namespace: str) -> dict[str, Json]:
    """Return whose account each SQL user of a cluster is, and which schemas belong to it."""
    databases = {m["metadata"]["name"]: m for m in kube.list("MariaDBDatabase", namespace=namespace)}
    found: dict[str, Json] = {}
    for account in kube.list("MariaDBAccount", namespace=namespace):
        labels = account["metadata"].get("labels") or {}
        user = str((account.get("spec") or {}).get("userName", ""))
        if not user or labels.get("dbName", cluster) != cluster:
            continue
        database = databases.get(labels.get("mariaDBDatabaseName", ""))
        service = _owning_service(account) or (_owning_service(database) if database else "")
        names: list[Json] = [str((database.get("spec") or {}).get("name", ""))] if database else []
        system = (account.get("spec") or {}).get("accountType") == "System"
        found[user] = {"service": "galera" if system else service, "databases": names}
    return found


def _owning_service(manifest: Manifest) -> str:
    """Return the service whose resource owns an object: the head of its API group."""
    for owner in manifest["metadata"].get("ownerReferences") or []:
        group = str(owner.get("apiVersion", "")).partition("/")[0]
        head = group.removesuffix(".openstack.org")
        if head != group and head not in ("mariadb", "core"):
            return head
    return ""


def _peers(kube: Kube, namespace: str) -> dict[str, Json]:
    """Return who has each pod address right now."""
    found: dict[str, Json] = {}
    for pod in kube.list("Pod", namespace=namespace):
        ip = (pod.get("status") or {}).get("podIP")
        if ip and not (pod.get("spec") or {}).get("hostNetwork") and pod["status"].get("phase") == "Running":
            found[ip] = f"pod/{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    return found


def _cluster(component: Component) -> str:
    owner = next((o.name for o in component.owners if o.kind == "Galera"), None)
    return owner or component.labels.get("galera/name", component.name)
