"""Faults as values: they round-trip through the journal's words, and refuse what they were not made for."""

from __future__ import annotations

import pytest

from seatrial.faults import KINDS, build, proof
from seatrial.faults.absence import ScaleAway
from seatrial.faults.compose import together
from seatrial.faults.drift import DeleteObject, SetReplicas
from seatrial.faults.fixture_queue import read_transport_url
from seatrial.faults.fixture_schema import SqlSchema
from seatrial.faults.pod import DeletePod
from seatrial.faults.process import KillProcess, PauseProcess
from seatrial.model.errors import BadInput, Unreachable
from seatrial.model.fault import Fault, Pick, Selector

EXAMPLES: list[Fault] = [
    DeletePod(Selector("galera", Pick.ACTIVE)),
    KillProcess(Selector("rabbitmq", Pick.NAMED, "rabbitmq-server-1"), "rabbitmq"),
    PauseProcess(Selector("operators", Pick.ALL)),
    ScaleAway(Selector("operators", Pick.ALL)),
    DeleteObject("Service", "keystone-internal", "openstack"),
    SetReplicas("keystone", 3),
    SqlSchema(),
    together(DeletePod(Selector("galera")), PauseProcess(Selector("rabbitmq"))),
]


@pytest.mark.parametrize("fault", EXAMPLES, ids=lambda fault: fault.kind)
def test_a_fault_is_rebuilt_from_what_the_journal_holds(fault: Fault) -> None:
    """kind and parameters make an equal fault in another process."""
    assert build(fault.kind, fault.parameters()) == fault


def test_a_password_is_neither_in_the_words_nor_in_the_journal() -> None:
    """It lives in the process that made it, and two of a kind have two."""
    one, other = SqlSchema(), SqlSchema()
    assert one.password.reveal() != other.password.reveal()
    assert one.password.reveal() not in f"{one!r} {one.parameters()}"


@pytest.mark.parametrize(
    ("kind", "parameters", "said"),
    [
        ("delete_pdo", {}, "did you mean 'delete_pod'"),
        ("delete_pod", {"component": "galera", "pick": "actve"}, "did you mean 'active'"),
        ("delete_pod", {"componet": "galera"}, "did you mean 'component'"),
        ("delete_pod", {"component": 3}, "found 3"),
        ("kill_process", {"component": "galera", "pick": "named"}, "only with it"),
        ("set_replicas", {"component": "keystone", "to": -1}, "0 or more"),
        ("together", {"parts": [{"kind": "delete_pod", "parameters": {"component": ""}}]}, "component"),
    ],
)
def test_wrong_words_are_refused_with_what_is_accepted(kind: str, parameters: dict[str, object], said: str) -> None:
    """One message says where, what was found, what is accepted."""
    with pytest.raises(BadInput, match=said):
        build(kind, parameters)  # type: ignore[arg-type]


def test_every_kind_is_registered_under_its_own_name() -> None:
    """The registry and the classes agree."""
    assert {fault.kind for fault in EXAMPLES} <= set(KINDS)


@pytest.mark.parametrize("name", ["", "seatrial", "admin", "%", "seatrial-zzzzzz-", "seatrial-0123456"])
def test_undo_never_reaches_for_names_that_the_harness_did_not_give(name: str) -> None:
    """A damaged recipe with an empty prefix would mean every project of the cloud."""
    with pytest.raises(BadInput):
        proof.own_name({"prefix": name}, "prefix")


def test_a_transport_url_is_read_without_its_password() -> None:
    """Host, port, virtual host and encryption; the first of several hosts."""
    read = read_transport_url("rabbit://user:s%2Fecret@rabbitmq.openstack.svc:5671/%2Fnova?ssl=1")
    assert read == {"host": "rabbitmq.openstack.svc", "port": 5671, "encrypted": True, "vhost": "/nova"}
    assert read_transport_url("rabbit://u:p@a:5672,u:p@b:5672/")["host"] == "a"
    assert read_transport_url("rabbit://u:p@a:5672")["vhost"] == "/"
    with pytest.raises(Unreachable):
        read_transport_url("rabbit://u:p@nowhere/")
