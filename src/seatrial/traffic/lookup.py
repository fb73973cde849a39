"""Where the ledger's entries have to be afterwards: on every member, through the API, in the queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from seatrial import waiting
from seatrial.clients import galera
from seatrial.clients.kube import Kube
from seatrial.model.access import ProjectsAccess, SchemaAccess
from seatrial.model.errors import NotPermitted, Unreachable
from seatrial.model.inventory import Inventory

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

Counts = Mapping[int, int]
_DRAIN_S = 120.0
_PATIENCE_S = 20.0
# A read that waits until the member has applied everything the cluster had committed when it was asked: without it a
# member that merely lags would look as if it had lost something.
_CAUSAL = "SET SESSION wsrep_sync_wait = 1;"


@dataclass(slots=True)
class Looked:
    """How often each number was found in each place, and which places could not be read."""

    found: dict[str, Counts] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    def look(self, where: str, ask: Callable[[], Counts]) -> None:
        """Look in one place, with a little patience for one that is only just back."""
        try:
            self.found[where] = waiting.persist(ask, (Unreachable,), within_s=_PATIENCE_S, every_s=2)
        except (Unreachable, NotPermitted, ValueError, KeyError) as problem:
            self.unread[where] = f"{type(problem).__name__}: {problem}"


def everywhere(
    kind: str,
    deployment: Deployment,
    inventory: Inventory,
    *,
    schema: SchemaAccess | None,
    projects: ProjectsAccess | None,
    drain: Callable[..., dict[str, Any]],
) -> Looked:
    """Look in every place where entries of this kind have to be."""
    looked = Looked()
    if kind == "sql_row" and schema is not None:
        sql = f"{_CAUSAL} SELECT id FROM {schema.database}.ledger"  # noqa: S608  # a name of the harness's own
        _members(looked, deployment, schema, sql, lambda row: row["id"])
    elif kind == "keystone_project" and projects is not None:
        prefix = projects.prefix
        looked.look("api", lambda: _named(deployment.openstack.projects().values(), prefix))
        if schema is not None:
            name = keystone_database(inventory)
            sql = f"{_CAUSAL} SELECT name FROM `{name}`.project WHERE name LIKE '{prefix}%'"  # noqa: S608  # likewise
            _members(looked, deployment, schema, sql, lambda row: row["name"].removeprefix(prefix))
    elif kind == "amqp_message":
        looked.look("queue", lambda: _drained(drain))
    return looked


def keystone_database(inventory: Inventory) -> str:
    """Return the name of Keystone's schema: as its MariaDBDatabase says, or as it is called everywhere."""
    for resource in inventory.of_kind("MariaDBDatabase"):
        if any(owner.kind == "KeystoneAPI" for owner in resource.owners):
            return str(resource.spec.get("name") or resource.name)
    return "keystone"


def _members(
    looked: Looked, deployment: Deployment, schema: SchemaAccess, sql: str, number: Callable[[dict[str, str]], str]
) -> None:
    """Read on every member of the cluster, each in a session of its own inside its pod."""
    manifest = deployment.kube.get("Galera", schema.galera, namespace=schema.namespace)
    for member in schema.members:
        where = f"pod/{schema.namespace}/{member}"
        if manifest is None:
            looked.unread[where] = f"galera/{schema.namespace}/{schema.galera} is not there"
            continue
        looked.look(where, partial(_counted, number, partial(_rows, deployment.kube, member, manifest, sql)))


def _counted(number: Callable[[dict[str, str]], str], ask: Callable[[], list[dict[str, str]]]) -> Counts:
    return _numbers(number(row) for row in ask())


def _rows(kube: Kube, member: str, manifest: dict[str, Any], sql: str) -> list[dict[str, str]]:
    password = galera.root_password(kube, manifest)
    return galera.query(kube, member, sql, namespace=manifest["metadata"]["namespace"], password=password)


def _named(names: Iterable[str], prefix: str) -> Counts:
    return _numbers(name.removeprefix(prefix) for name in names if name.startswith(prefix))


def _numbers(texts: Iterable[str]) -> Counts:
    """Count the numbers; what the load makes under the same prefix has no number, and is no entry."""
    return Counter(int(text) for text in texts if text.isdigit())


def _drained(drain: Callable[..., dict[str, Any]]) -> Counts:
    answer = drain(within_s=_DRAIN_S)
    if not answer["ok"]:
        raise Unreachable(f"the queue could not be emptied: {answer.get('detail')}")
    return {int(number): int(count) for number, count in answer["n"].items()}
