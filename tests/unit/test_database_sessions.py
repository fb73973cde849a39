"""The database's sessions are watched by reading alone, and counted sample by sample."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seatrial.clients.kube_exec import ExecResult
from seatrial.model.target import Cloud, Kubernetes, Target
from seatrial.probes import galera
from tests.unit import eyes_evidence as eyes

HEADER = "its_user\tits_host\tits_schema"


class Kube:
    """Members that answer as ``mysql --batch`` does: each result with a header, an empty one with none."""

    def __init__(self, *results: list[str]) -> None:
        self.printed = "".join("".join(f"{line}\n" for line in (HEADER, *rows)) for rows in results if rows)
        self.statements: list[str] = []

    def get(self, kind: str, name: str, *, namespace: str) -> dict[str, Any]:
        return {"metadata": {"name": name, "namespace": namespace}, "status": {"rootDatabaseSecret": "db-root"}}

    def secret(self, name: str, key: str, *, namespace: str) -> Any:
        return SimpleNamespace(reveal=lambda: base64.b64encode(b"x").decode())

    def list(self, kind: str, **_: Any) -> list[dict[str, Any]]:
        return []

    def exec(self, pod: str, argv: list[str], *, stdin: str, **_: Any) -> ExecResult:
        self.statements.append(stdin.partition("\n")[2])
        return ExecResult(self.printed, "", 0)


def seen(kube: Kube, watch_s: float = 1.0) -> list[dict[str, Any]]:
    deployment: Any = SimpleNamespace(kube=kube, target=Target("t", Kubernetes((Path("k"),)), Cloud(Path("c"), "c")))
    first, *_ = galera.sessions(deployment, eyes.inventory(), watch_s=watch_s)
    assert first.seen, first.error
    value: Any = first.value
    assert (value["samples"], value["watched_s"]) == (4 * watch_s, watch_s)
    return list(value["sessions"])


def test_only_statements_that_read_are_sent() -> None:
    """No table, not even a temporary one: the grant is to observe."""
    kube = Kube(["keystone\t10.0.0.1\tkeystone"])
    seen(kube)
    for statement in kube.statements:
        sent = [one.strip() for one in statement.strip().rstrip(";").split(";")]
        assert len([one for one in sent if one.startswith("SELECT ")]) == 4
        assert all(
            re.fullmatch(r"SELECT .* FROM information_schema\.processlist .*|DO SLEEP\(0\.250\)", s) for s in sent
        )


def test_each_session_is_counted_once_a_sample() -> None:
    """Headers between the samples are no sessions, and an empty sample is a sample."""
    own, other = "keystone\t10.0.0.1\tkeystone", "root\tlocalhost\tNULL"
    assert seen(Kube([own, other], [], [own])) == [
        {"user": "keystone", "host": "10.0.0.1", "db": "keystone", "peer": None, "seen": 2},
        {"user": "root", "host": "localhost", "db": None, "peer": None, "seen": 1},
    ]


@pytest.mark.parametrize("results", [[], [[], []]])
def test_nobody_connected_is_no_session(results: list[list[str]]) -> None:
    """A database without clients has none; that is an answer too."""
    assert seen(Kube(*results)) == []
