"""Reads another service's tables, once a second, over a connection that stays open."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pymysql


def main(host: str, user: str, database: str) -> None:
    """Read until the connection breaks; the pod is then started again."""
    password = os.environ["DATABASE_PASSWORD"]
    connection = pymysql.connect(host=host, user=user, password=password, database=database, connect_timeout=5)
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, name FROM project")
            cursor.fetchall()
        connection.rollback()
        Path("/tmp/reading").touch()  # noqa: S108 (in the pod)
        time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:4])
