"""A schema and an account of the harness's own in a Galera cluster, for the SQL path and the ledger's rows."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from seatrial.clients import galera
from seatrial.faults import proof, select
from seatrial.faults.given import Given
from seatrial.model.access import SchemaAccess
from seatrial.model.errors import Unreachable
from seatrial.model.fault import Injection, Look
from seatrial.model.inventory import Component, Inventory, Resource, Role, ServiceObject
from seatrial.model.observation import Json
from seatrial.model.rights import Right, exec_in, rights
from seatrial.model.target import Grant, Secret

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

_PORT = 3306


@dataclass(frozen=True, slots=True)
class SqlSchema:
    """Creates a database with the tables *path* and *ledger* and a user for it; undo drops both."""

    galera: str = ""
    """Name of the Galera resource; empty: the one of the control plane."""
    password: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(24)), compare=False, repr=False)
    """Lives in this process only: neither parameters nor recipe hold it, and undo needs none."""
    kind: ClassVar[str] = "sql_schema"
    grant: ClassVar[Grant] = Grant.MUTATE
    one_way: ClassVar[bool] = False

    @classmethod
    def from_given(cls, given: Given) -> SqlSchema:
        """Make it of parameters that somebody wrote."""
        return cls(given.maybe_text("galera") or "")

    def parameters(self) -> Mapping[str, Json]:
        """Return what makes an equal one."""
        return {"galera": self.galera} if self.galera else {}

    def rights(self) -> tuple[Right, ...]:
        """Return what it needs of the platform."""
        return (*exec_in(), *rights("get", "secrets galeras.mariadb.openstack.org"))

    def applies(self, inventory: Inventory) -> str | None:
        """Return why it can't be made: there is no such Galera cluster."""
        found = [resource.name for resource in inventory.of_kind("Galera")]
        if not found:
            return "there is no Galera resource in this deployment"
        return None if not self.galera or self.galera in found else f"there is no Galera {self.galera!r}: {found}"

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Choose names that nobody has, and find the cluster's members and the Service of its clients."""
        resource = _resource(inventory, self.galera)
        component = _component(inventory, resource)
        members = sorted(replica.name for replica in component.replicas)
        if not members:
            raise Unreachable(f"{resource.subject} has no member through which a schema could be taken back")
        first = select.active(component, inventory)
        # Undo may need the password of root only, which every member accepts: any member that lives will do.
        ordered = ([first.name] if first else []) + [name for name in members if first is None or name != first.name]
        name = f"seatrial_{secrets.token_hex(3)}"
        recipe: dict[str, Json] = {
            "namespace": resource.namespace,
            "galera": resource.name,
            "members": list(ordered),
            "database": name,
            "user": name,
            "host": _host(inventory, resource, component),
            "port": _PORT,
        }
        return proof.new_injection(
            self.kind,
            self.parameters(),
            [f"database/{resource.name}/{name}"],
            recipe,
            by_hand=[f"in a pod of Galera {resource.name}, as root: DROP DATABASE {name}; DROP USER '{name}'@'%'"],
        )

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Create schema, tables and user, as root on one member."""
        name = proof.own_name(injection.recipe, "database")
        # All of it, the password included, travels on standard input.
        sql = f"""
            CREATE DATABASE {name};
            CREATE TABLE {name}.path (slot INT PRIMARY KEY, written DATETIME(6) NOT NULL) ENGINE=InnoDB;
            CREATE TABLE {name}.ledger (id BIGINT PRIMARY KEY, written DATETIME(6) NOT NULL) ENGINE=InnoDB;
            CREATE USER '{name}'@'%' IDENTIFIED BY '{self.password.reveal()}';
            GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO '{name}'@'%';
        """
        password, namespace = _root_password(deployment, injection), str(injection.recipe["namespace"])
        # Once, on one member: what was sent to another as well, and lost, might be done after it was undone.
        galera.query(
            deployment.kube, _first_answer(deployment, injection)[0], sql, namespace=namespace, password=password
        )

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether schema and user are there."""
        [row] = _first_answer(deployment, injection)[1]
        return Look(int(row["found"]) == 2, {"found": row["found"]})

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Drop schema and user on every member, since replication may be what is broken; absent is fine."""
        name = proof.own_name(injection.recipe, "database")
        _ask_each(deployment, injection, f"DROP DATABASE IF EXISTS {name}; DROP USER IF EXISTS '{name}'@'%'")

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether neither schema nor user is on any member that there is."""
        rows = _ask_each(deployment, injection, _count(injection))
        found = {member: int(row["found"]) for member, [row] in rows.items()}
        return Look(bool(found) and not any(found.values()), {"found": {**found}})

    def access(self, injection: Injection) -> SchemaAccess:
        """Return how the database's clients reach the schema."""
        recipe = injection.recipe
        members = recipe["members"]
        return SchemaAccess(
            namespace=str(recipe["namespace"]),
            galera=str(recipe["galera"]),
            members=tuple(sorted(str(member) for member in members)) if isinstance(members, list) else (),
            host=str(recipe["host"]),
            port=_PORT,
            user=str(recipe["user"]),
            password=self.password,
            database=str(recipe["database"]),
        )


def _count(injection: Injection) -> str:
    name = proof.own_name(injection.recipe, "database")
    schemas = f"(SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = '{name}')"  # noqa: S608  # checked
    users = f"(SELECT COUNT(*) FROM mysql.user WHERE user = '{name}')"  # noqa: S608  # checked
    return f"SELECT {schemas} + {users} AS found"


def _first_answer(deployment: Deployment, injection: Injection) -> tuple[str, list[dict[str, str]]]:
    """Return the first member that answers, and how many of schema and user are there; raises when none answers."""
    password = _root_password(deployment, injection)
    namespace = str(injection.recipe["namespace"])
    refusal = Unreachable("the recipe names no member")
    for member in _members(injection):
        try:
            rows = galera.query(deployment.kube, member, _count(injection), namespace=namespace, password=password)
        except Unreachable as problem:
            refusal = problem
        else:
            return member, rows
    raise refusal


def _ask_each(deployment: Deployment, injection: Injection, sql: str) -> dict[str, list[dict[str, str]]]:
    """Run SQL as root on every member that there is; raises when one that there is can't be asked."""
    password = _root_password(deployment, injection)
    namespace = str(injection.recipe["namespace"])
    return {
        member: galera.query(deployment.kube, member, sql, namespace=namespace, password=password)
        for member in _members(injection)
        if deployment.kube.get("Pod", member, namespace=namespace) is not None
    }


def _root_password(deployment: Deployment, injection: Injection) -> Secret:
    recipe = injection.recipe
    namespace = str(recipe["namespace"])
    manifest = deployment.kube.get("Galera", str(recipe["galera"]), namespace=namespace)
    if manifest is None:
        raise Unreachable(f"galera/{namespace}/{recipe['galera']} is not there")
    return galera.root_password(deployment.kube, manifest)


def _members(injection: Injection) -> list[str]:
    members = injection.recipe["members"]
    return [str(member) for member in members] if isinstance(members, list) else []


def _resource(inventory: Inventory, name: str) -> Resource:
    found = sorted(inventory.of_kind("Galera"), key=lambda r: (_cell(inventory, r) is not None, r.name))
    return next(resource for resource in found if not name or resource.name == name)


def _cell(inventory: Inventory, resource: Resource) -> str | None:
    return next((c.cell for c in inventory.of_role(Role.DATABASE) if _owned(c, resource)), None)


def _owned(component: Component, resource: Resource) -> bool:
    return any(owner.uid == resource.uid for owner in component.owners)


def _component(inventory: Inventory, resource: Resource) -> Component:
    for component in inventory.of_role(Role.DATABASE):
        if _owned(component, resource):
            return component
    raise Unreachable(f"no workload of {resource.subject} was found")


def _host(inventory: Inventory, resource: Resource, component: Component) -> str:
    """Return the name of the clients' Service: not headless, on the database's port, before pods of the cluster."""
    pods = {replica.name for replica in component.replicas}
    candidates = [
        service
        for service in inventory.services
        if service.namespace == resource.namespace
        and service.cluster_ip not in ("", "None")
        and any(port.port == _PORT for port in service.ports)
        and (service.name == resource.name or set(service.backends) & pods)
    ]
    if not candidates:
        raise Unreachable(f"no Service sends clients to {resource.subject}")

    def likeliest(service: ServiceObject) -> tuple[bool, str]:
        return (service.name != resource.name, service.name)

    return f"{min(candidates, key=likeliest).name}.{resource.namespace}.svc"
