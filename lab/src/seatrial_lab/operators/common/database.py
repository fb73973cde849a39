"""A service's database and account, which the mariadb operator makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode

from seatrial_lab.operators.common.conditions import is_ready, said
from seatrial_lab.operators.common.reconciler import NotYet, Round
from seatrial_lab.operators.common.resources import MARIADB_ACCOUNT, MARIADB_DATABASE, SECRET, Json
from seatrial_lab.operators.common.secrets import plain


def _bounds(read_s: int) -> str:
    return urlencode({"connect_timeout": 2, "read_timeout": read_s, "write_timeout": read_s})


# PyMySQL waits for ever by default. A member of the database that vanished without a word is given up after 6 s; that
# must be more than Galera needs to drop a dead member, as commits on the others stand still until then.
BOUNDS: Final = _bounds(6)
# To give up a migration is worse than to wait: a table that was made all the same lets no later try succeed.
PATIENT: Final = {
    f"OS_{section}__CONNECTION_PARAMETERS": _bounds(120)
    for section in ("DATABASE", "API_DATABASE", "PLACEMENT_DATABASE")
}
"""Environment by which oslo.config gives a process other bounds than the files say."""


@dataclass(frozen=True, slots=True)
class Login:
    """Where a service's tables are, and as whom to get there."""

    user: str
    host: str
    database: str
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """The URL as SQLAlchemy reads it; what bounds a try goes beside it (`connection_parameters`)."""
        user, password = quote(self.user, safe=""), quote(self.password, safe="")
        return f"mysql+pymysql://{user}:{password}@{self.host}/{self.database}?charset=utf8mb4"

    @property
    def bounds(self) -> str:
        """How long a service waits for the database, in the form of an URL's query."""
        return BOUNDS


async def login(
    this: Round,
    name: str,
    *,
    instance: str,
    in_use: bool,
    account: str | None = None,
    conditions: tuple[str, str] = ("DBReady", "MariaDBAccountReady"),
) -> Login:
    """See to a database and its account on a Galera, and return how to log in there; NotYet while they are made.

    `name` is that of the MariaDBDatabase (`nova-api` for the database `nova_api`). `in_use` says that the service's
    tables are there: then a database that fails over is told in the conditions, but holds up nothing.
    """
    database, labels = name.replace("-", "_"), {"dbName": instance}
    live = await this.apply(
        {
            "apiVersion": MARIADB_DATABASE.api_version,
            "kind": MARIADB_DATABASE.kind,
            "metadata": {"name": name, "labels": labels},
            "spec": {"name": database},
        }
    )
    entry = await this.apply(
        {
            "apiVersion": MARIADB_ACCOUNT.api_version,
            "kind": MARIADB_ACCOUNT.kind,
            "metadata": {"name": account or name, "labels": {**labels, "mariaDBDatabaseName": name}},
            "spec": {"requireTLS": False},
        }
    )
    waiting_for = conditions[1] if is_ready(live) else conditions[0]
    for condition, part in zip(conditions, (live, entry), strict=True):
        if is_ready(part):
            this.conditions.true(condition, f"{part['kind']} {part['metadata']['name']} is ready")
        else:
            this.conditions.waiting(condition, f"{part['kind']} {part['metadata']['name']}: {said(part)}")
    found = await _login(this, entry, f"{instance}.{this.namespace}.svc", database)
    if found is None or not (in_use or (is_ready(live) and is_ready(entry))):
        blame = entry if is_ready(live) else live
        raise NotYet(waiting_for, f"{blame['kind']} {blame['metadata']['name']}: {said(blame)}")
    return found


async def login_of(this: Round, account: str, *, host: str, database: str, condition: str = "InputReady") -> Login:
    """How to log in as an account that another resource sees to; NotYet while it has no password."""
    entry = await this.get(MARIADB_ACCOUNT, account)
    found = await _login(this, entry, host, database)
    if found is None:
        raise NotYet(condition, f"MariaDBAccount {account}: {said(entry)}")
    return found


async def _login(this: Round, entry: Json | None, host: str, database: str) -> Login | None:
    """What a MariaDBAccount says, once it has a password."""
    secret_name = ((entry or {}).get("status") or {}).get("currentSecret")
    found = await this.get(SECRET, secret_name) if secret_name else None
    if entry is None or found is None:
        return None
    return Login(str(entry["spec"]["userName"]), host, database, plain(found)["DatabasePassword"])
