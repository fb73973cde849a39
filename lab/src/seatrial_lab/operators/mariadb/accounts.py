"""Databases and accounts in a Galera cluster, for the services that ask for them."""

from __future__ import annotations

import secrets
from typing import Final

from seatrial_lab.operators.common.conditions import is_ready
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import Controller, NotYet, Round, Watch, everyone
from seatrial_lab.operators.common.resources import GALERA, MARIADB_ACCOUNT, MARIADB_DATABASE, SECRET, Json
from seatrial_lab.operators.common.secrets import plain, secret
from seatrial_lab.operators.mariadb.galera import run_sql

CLUSTER_LABEL: Final = "dbName"  # on databases and accounts: the Galera they live in
DATABASE_LABEL: Final = "mariaDBDatabaseName"  # on accounts: the MariaDBDatabase they may use
SERVER, DATABASE, ACCOUNT = "MariaDBServerReady", "MariaDBDatabaseReady", "MariaDBAccountReady"


async def reconcile_database(this: Round) -> None:
    """One round for one MariaDBDatabase."""
    galera = await _server(this)
    spec = this.spec
    wanted = hash_of([galera["metadata"]["uid"], spec])
    if (this.status.get("hash") or {}).get("database") != wanted:
        charset, collation = spec["defaultCharacterSet"], spec["defaultCollation"]
        form = f"`{spec['name']}` CHARACTER SET {charset} COLLATE {collation};"
        await run_sql(
            this, galera["metadata"]["name"], [f"CREATE DATABASE IF NOT EXISTS {form}", f"ALTER DATABASE {form}"]
        )
    this.status |= {"hash": {"database": wanted}, "completed": True, "tlsSupport": False}
    this.conditions.true(DATABASE, "MariaDBDatabase ready")


async def reconcile_account(this: Round) -> None:
    """One round for one MariaDBAccount; that of root only mirrors what the cluster was founded with."""
    galera = await _server(this)
    if this.spec.get("accountType") == "System":
        this.conditions.drop(DATABASE)
        await _password(this, make=False)
        this.status["currentSecret"] = this.spec["secret"]
        this.conditions.true(ACCOUNT, "MariaDBAccount creation complete")
        return
    user, secret_name = await _names(this)
    password = await _password(this, make=True)
    database = await _database(this)
    wanted = hash_of([galera["metadata"]["uid"], database["metadata"]["uid"], user, password])
    if (this.status.get("hash") or {}).get("account") != wanted:
        quoted = password.replace("\\", "\\\\").replace("'", "''")
        await run_sql(
            this,
            galera["metadata"]["name"],
            [
                f"CREATE USER IF NOT EXISTS '{user}'@'%' IDENTIFIED BY '{quoted}';",
                f"ALTER USER '{user}'@'%' IDENTIFIED BY '{quoted}';",
                f"GRANT ALL PRIVILEGES ON `{database['spec']['name']}`.* TO '{user}'@'%';",
            ],
        )
    this.status |= {"hash": {"account": wanted}, "currentSecret": secret_name}
    this.conditions.true(ACCOUNT, "MariaDBAccount creation complete")


async def _server(this: Round) -> Json:
    """The Galera cluster of a database or account, which must be up."""
    cluster = (this.cr["metadata"].get("labels") or {}).get(CLUSTER_LABEL)
    if not cluster:
        raise NotYet(SERVER, f"The label {CLUSTER_LABEL} must name a Galera", severity="Error", look_again_s=60)
    galera = await this.get(GALERA, cluster)
    if galera is None:
        raise NotYet(SERVER, f"Galera {cluster} does not exist", look_again_s=60)
    if not is_ready(galera):
        raise NotYet(SERVER, f"Galera {cluster} is not ready", look_again_s=60)
    this.conditions.true(SERVER, "MariaDB server ready")
    return galera


async def _names(this: Round) -> tuple[str, str]:
    """The account's user and Secret; what the resource left open is decided now and written into it."""
    user = this.spec.get("userName") or f"{this.name.replace('-', '_')[:27]}_{secrets.token_hex(2)}"
    where = this.spec.get("secret") or f"{this.name}-db-secret"
    decided = {"userName": user, "secret": where}
    if any(this.spec.get(key) != value for key, value in decided.items()):
        patch = {"metadata": {"resourceVersion": this.cr["metadata"]["resourceVersion"]}, "spec": decided}
        this.cr = await this.kube.patch(MARIADB_ACCOUNT, this.name, patch, namespace=this.namespace)
    return user, where


async def _password(this: Round, *, make: bool) -> str:
    """The account's password, from its Secret; a missing Secret is made, unless it is the cluster's own."""
    name = this.spec["secret"]
    found = await this.get(SECRET, name)
    if found is None and make:
        labels = this.cr["metadata"].get("labels") or {}
        found = await this.create(secret(name, labels, {"DatabasePassword": secrets.token_urlsafe(18)}))
    password = plain(found).get("DatabasePassword")
    if not password:
        raise NotYet(ACCOUNT, f"Secret {name} with key DatabasePassword is missing")
    return password


async def _database(this: Round) -> Json:
    """The database that the account is for."""
    name = (this.cr["metadata"].get("labels") or {}).get(DATABASE_LABEL) or this.name
    database = await this.get(MARIADB_DATABASE, name)
    if not is_ready(database) or database is None:
        raise NotYet(DATABASE, f"MariaDBDatabase {name} is not ready", look_again_s=60)
    this.conditions.true(DATABASE, "MariaDBDatabase ready")
    return database


DATABASES: Final = Controller(
    resource=MARIADB_DATABASE,
    reconcile=reconcile_database,
    conditions=(SERVER, DATABASE),
    watches=(Watch(GALERA, everyone),),
)

ACCOUNTS: Final = Controller(
    resource=MARIADB_ACCOUNT,
    reconcile=reconcile_account,
    conditions=(SERVER, DATABASE, ACCOUNT),
    owns=(SECRET,),
    watches=(Watch(GALERA, everyone), Watch(MARIADB_DATABASE, everyone)),
)
