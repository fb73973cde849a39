"""`cell.py ACT CELL`: what nova-manage does for a cell, several of its commands in one process.

A start of nova-manage costs seconds of a processor, and a boot has two. Runs in OpenStack's own environment.
"""

import datetime as dt
import sys
from collections.abc import Callable
from typing import Any

from nova.cmd import manage  # isort: skip # first: it decides how the process runs its threads
from nova import config, context, objects

CONF = manage.CONF
ARCHIVE_DAYS, PURGE_DAYS = 30, 90


def main(act: str, cell: str) -> Any:
    """Run one act as nova-manage would; returns its exit status."""
    config.parse_args(["nova-manage", "--config-dir", "/etc/nova"])
    manage.logging.setup(CONF, "nova")
    objects.register_all()
    return ACTS[act](cell)


def sync(cell: str) -> Any:
    """Bring the tables of a cell, and with cell0 those of the API, to what this release needs."""
    failed = manage.ApiDbCommands().sync() if cell == "cell0" else None
    return failed or manage.DbCommands().sync(local_cell=True)


def register(cell: str) -> Any:
    """Map a cell by the URLs in the configuration."""
    uuid, cells = uuid_of(cell), manage.CellV2Commands()
    if cell == "cell0":
        # Nobody talks to cell0 by messages. And it is named here: by itself nova-manage would make up another database.
        cells.map_cell0(database_connection=CONF.database.connection)
        return cells.update_cell(objects.CellMapping.CELL0_UUID, transport_url="none:///")
    return cells.update_cell(uuid) if uuid else cells.create_cell(name=cell)


def discover(cell: str) -> Any:
    """Map the compute nodes that have registered in a cell."""
    return manage.CellV2Commands().discover_hosts(cell_uuid=uuid_of(cell), by_service=True, verbose=True)


def delete(cell: str) -> Any:
    """Forget a cell that has no compute nodes and no servers any more."""
    uuid = uuid_of(cell)
    return manage.CellV2Commands().delete_cell(uuid) if uuid else 0


def purge(_: str) -> Any:
    """Put rows of deleted things aside, and remove what was put aside long ago; 1 and 3 mean that there was nothing."""
    commands = manage.DbCommands()
    archived = commands.archive_deleted_rows(until_complete=True, task_log=True, before=ago(ARCHIVE_DAYS))
    purged = commands.purge(before=ago(PURGE_DAYS))
    return archived not in (0, 1) or purged not in (0, 3)


def uuid_of(cell: str) -> str | None:
    """How the API's database knows a cell, if it does."""
    found = objects.CellMappingList.get_all(context.get_admin_context())
    return next((each.uuid for each in found if each.name == cell), None)


def ago(days: int) -> str:
    """The date so many days ago."""
    return (dt.datetime.now(dt.UTC) - dt.timedelta(days=days)).strftime("%Y-%m-%d")


ACTS: dict[str, Callable[[str], Any]] = {
    "sync": sync,
    "register": register,
    "discover": discover,
    "delete": delete,
    "purge": purge,
}

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
