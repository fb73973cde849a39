"""The root password reaches the database's client, and nothing else in the pod."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from seatrial.clients import galera
from seatrial.clients.kube_exec import ExecResult
from seatrial.model.target import Secret

CLIENT = """#!/bin/sh
# Writes down what it was given, as mysql would use it.
cat /dev/fd/3 > "$SEEN/options"
cat > "$SEEN/sql"
tr '\\0' '\\n' < /proc/self/environ > "$SEEN/environment"
cat /proc/$$/cmdline /proc/$PPID/cmdline | tr '\\0' ' ' > "$SEEN/arguments"
tr '\\0' '\\n' < /proc/$PPID/environ >> "$SEEN/environment"
printf 'a\\n1\\n'
"""


class Pod:
    """The client of a platform whose one pod is this machine."""

    def __init__(self, seen: Path) -> None:
        (seen / "mysql").write_text(CLIENT)
        (seen / "mysql").chmod(0o755)
        self._environment = {"PATH": f"{seen}:{os.environ['PATH']}", "SEEN": str(seen)}

    def exec(self, pod: str, argv: Sequence[str], *, stdin: str, **_: Any) -> ExecResult:
        done = subprocess.run(argv, input=stdin, text=True, capture_output=True, env=self._environment, check=False)
        return ExecResult(done.stdout, done.stderr, done.returncode)


ODD = ("#start", '"quoted"', "ends in \\", "$HOME `id`", " spaces ", "ü€%s\\n", "a#b$c`d\\e\"f'g h;!")


@pytest.mark.parametrize("password", ["Tr0ub4dor&3", *ODD])
def test_the_client_gets_the_password_and_nobody_else(tmp_path: Path, password: str) -> None:
    """Any password, unharmed by shell and file of options; not in an argument, not in an environment."""
    pod: Any = Pod(tmp_path)
    rows = galera.query(pod, "galera-0", "SELECT 1 AS a", namespace="openstack", password=Secret(password))
    assert rows == [{"a": "1"}]
    option = re.fullmatch(r'\[client\]\npassword="(.*)"\n', (tmp_path / "options").read_text())
    assert option is not None
    assert re.sub(r"\\(.)", r"\1", option[1]) == password
    assert (tmp_path / "sql").read_text() == "SELECT 1 AS a;\n"
    for place in ("environment", "arguments"):
        assert password not in (tmp_path / place).read_text()
