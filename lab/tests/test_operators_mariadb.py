"""The mariadb operator: never two founders, never a founder that loses data, and who holds the client Service."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial_lab.operators.common.resources import Json
from seatrial_lab.operators.common.templates import render
from seatrial_lab.operators.mariadb import galera
from seatrial_lab.operators.mariadb.bootstrap import (
    FOUND,
    NOWHERE,
    Member,
    Report,
    as_attributes,
    from_attributes,
    members_of,
    orders,
)
from seatrial_lab.operators.openstack import operators

JOIN = "gcomm://a,b,c"
NAMES = ("db-galera-0", "db-galera-1", "db-galera-2")


def member(name: str, *, started: bool = False, ready: bool = False) -> Member:
    return Member(name, f"container-of-{name}", started=started or ready, ready=ready)


def report(name: str, seqno: int = -1, *, safe: bool = False, empty: bool = False, told: str = "") -> Report:
    return Report(f"container-of-{name}", "u" if seqno >= 0 else NOWHERE, seqno, safe=safe, empty=empty, told=told)


def decide(members: list[Member], reports: dict[str, Report]) -> dict[str, str]:
    return orders(members, reports, expected=3, join=JOIN)


def test_an_empty_cluster_is_founded_by_its_first_member_once_all_have_reported() -> None:
    """As long as one is missing, it might be the one with the data."""
    members = [member(name) for name in NAMES]
    reports = {name: report(name, empty=True) for name in NAMES}
    assert decide(members, {name: reports[name] for name in NAMES[:2]}) == {}
    assert decide(members, reports) == {NAMES[0]: FOUND}


def test_while_one_is_synced_all_others_join() -> None:
    """Nobody waits for a member that hasn't reported, if there is a cluster."""
    members = [member(NAMES[0], ready=True), member(NAMES[1]), member(NAMES[2])]
    assert decide(members, {NAMES[2]: report(NAMES[2], 7)}) == {NAMES[2]: JOIN}


def test_after_a_full_stop_the_furthest_member_founds() -> None:
    """It is chosen by its data, not by its name."""
    members = [member(name) for name in NAMES]
    reports = {name: report(name, seqno) for name, seqno in zip(NAMES, (10, 12, 12), strict=True)}
    assert decide(members, reports) == {NAMES[1]: FOUND}


def test_the_last_to_be_stopped_cleanly_founds_without_waiting() -> None:
    """It says so itself: nobody can be further."""
    assert decide([member(NAMES[2])], {NAMES[2]: report(NAMES[2], 12, safe=True)}) == {NAMES[2]: FOUND}


def test_nobody_founds_beside_a_founder() -> None:
    """Not even while the founder is still starting."""
    members = [member(name) for name in NAMES]
    reports = {name: report(name, 5) for name in NAMES} | {NAMES[0]: report(NAMES[0], 5, told=FOUND)}
    assert decide(members, reports) == {}


def test_nobody_founds_beside_a_member_that_was_in_a_cluster() -> None:
    """A member that lost its component may have data that it did not have when it reported."""
    members = [member(NAMES[0], started=True), member(NAMES[1]), member(NAMES[2])]
    reports = {name: report(name, 5) for name in NAMES} | {NAMES[0]: report(NAMES[0], 5, told=JOIN)}
    assert decide(members, reports) == {}


def test_one_that_was_told_to_join_a_cluster_that_died_holds_up_nobody() -> None:
    """It never got in, so what it reported still holds."""
    members = [member(name) for name in NAMES]
    told = {NAMES[0]: report(NAMES[0], 5, told=JOIN), NAMES[1]: report(NAMES[1], 6), NAMES[2]: report(NAMES[2], 6)}
    assert decide(members, told) == {NAMES[1]: FOUND}
    furthest_is_told = told | {NAMES[0]: report(NAMES[0], 9, told=JOIN)}
    assert decide(members, furthest_is_told) == {}


def test_data_that_nobody_can_read_is_not_declared_lost() -> None:
    """An operator may not found an empty cluster over data that a person might still save."""
    members = [member(name) for name in NAMES]
    reports = {NAMES[0]: report(NAMES[0], empty=True), NAMES[1]: report(NAMES[1]), NAMES[2]: report(NAMES[2])}
    assert decide(members, reports) == {}


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Member], dict[str, Report]]:
    members, reports = [], {}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        started = draw(st.booleans())
        members.append(member(name, started=started, ready=started and draw(st.booleans())))
        if draw(st.booleans()):
            told = draw(st.sampled_from(["", JOIN, FOUND])) if not started else draw(st.sampled_from([JOIN, FOUND]))
            seqno = draw(st.integers(-1, 4))
            reports[name] = report(name, seqno, safe=draw(st.booleans()) and seqno >= 0, empty=seqno < 0, told=told)
    return members, reports


@given(situations())
def test_there_is_never_more_than_one_founder(situation: tuple[list[Member], dict[str, Report]]) -> None:
    """In no situation whatever: a founder beside another, beside a synced member, or one that was told already."""
    members, reports = situation
    decided = decide(members, reports)
    founders = [name for name, order in decided.items() if order == FOUND]
    told_to_found = [name for name, said in reports.items() if said.told == FOUND]
    assert len(founders) <= 1
    assert not (founders and any(m.ready or m.started for m in members))
    assert not (founders and told_to_found)
    assert all(not reports[name].told for name in decided)
    for name in founders:
        assert reports[name].safe or reports[name].seqno == max(said.seqno for said in reports.values())


@given(situations())
def test_reports_survive_the_status(situation: tuple[list[Member], dict[str, Report]]) -> None:
    """A new operator process knows what the old one knew."""
    assert from_attributes(as_attributes(situation[1])) == situation[1]


def test_pods_that_leave_or_do_not_belong_are_no_members() -> None:
    """Neither a terminating pod nor one beyond the replicas counts."""
    running = [{"name": "galera", "containerID": "c", "state": {"running": {}}, "started": True}]
    status = {"containerStatuses": running, "conditions": [{"type": "Ready", "status": "True"}]}
    pods: list[Json] = [
        {"metadata": {"name": NAMES[0]}, "status": status},
        {"metadata": {"name": NAMES[1], "deletionTimestamp": "now"}, "status": status},
        {"metadata": {"name": "db-galera-7"}, "status": status},
        {"metadata": {"name": NAMES[2]}, "status": {}},
    ]
    found = members_of(pods, NAMES)
    assert [m.name for m in found] == [NAMES[0], NAMES[2]]
    assert found[0].ready
    assert not found[1].container


@pytest.fixture(scope="module")
def notify() -> ModuleType:
    path = Path(galera.__file__).parent / "templates/scripts/wsrep_notify.py"
    spec = importlib.util.spec_from_file_location("wsrep_notify", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_first_member_takes_the_service_only_from_one_that_is_gone(notify: ModuleType) -> None:
    """No needless fail-back: whoever has it and is still a member keeps it."""
    view = {"primary": True, "index": 0, "members": [NAMES[0], NAMES[1]]}
    assert notify.wanted("synced", view, NAMES[2], NAMES[0]) == NAMES[0]
    assert notify.wanted("synced", view, "", NAMES[0]) == NAMES[0]
    assert notify.wanted("synced", view, NAMES[1], NAMES[0]) is None
    assert notify.wanted("synced", {**view, "index": 1}, NAMES[2], NAMES[1]) is None
    assert notify.wanted("synced", {**view, "primary": False}, NAMES[2], NAMES[0]) is None
    assert notify.wanted("joiner", view, NAMES[2], NAMES[0]) is None


def test_a_member_that_leaves_gives_up_the_service_only_if_it_has_it(notify: ModuleType) -> None:
    """An empty selector lets nobody through until the next member takes over."""
    view = {"primary": False, "index": -1, "members": []}
    assert notify.wanted("disconnecting", view, NAMES[0], NAMES[0]) == ""
    assert notify.wanted("disconnecting", view, NAMES[1], NAMES[0]) is None


def test_a_state_without_a_membership_is_about_the_last_one_told(
    notify: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A donor that is synced again is told its state alone."""
    monkeypatch.setattr(notify, "VIEW", tmp_path / "view.json")
    members = f"uuid-a/{NAMES[0]}/10.0.0.1,uuid-b/{NAMES[1]}/10.0.0.2"
    first = notify.told(["--status", "Donor", "--uuid", "u", "--primary", "yes", "--index", "0", "--members", members])
    assert first == ("donor", {"primary": True, "index": 0, "members": list(NAMES[:2])})
    assert notify.told(["--status", "Synced"]) == ("synced", first[1])


@pytest.mark.parametrize(("counted", "asked"), [((NAMES[0], NAMES[2]), 1), ((NAMES[1],), 4)])
def test_a_member_that_comes_back_waits_until_the_others_have_dropped_it(counted: Sequence[str], asked: int) -> None:
    """However long they take; and others that do not answer are not waited for."""
    said: list[str] = []

    class Other(BaseHTTPRequestHandler):
        """A member that drops the one that has died when it is asked for the fourth time."""

        def do_GET(self) -> None:
            said.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write("\n".join(counted if len(said) < 4 else (NAMES[0],)).encode())

        def log_message(self, *_: object) -> None: ...

    script = Path(galera.__file__).parent / "templates/scripts/wait_until_dropped.py"
    with HTTPServer(("127.0.0.1", 0), Other) as other:
        Thread(target=other.serve_forever, daemon=True).start()
        environment = {"POD_NAME": NAMES[1], "HEALTH_PORT": str(other.server_port)}
        argv = [sys.executable, "-I", str(script), f"gcomm://{NAMES[1]}.db,127.0.0.2,127.0.0.1"]
        subprocess.run(argv, env=environment, check=True, timeout=60)
        other.shutdown()
    assert said == ["/members"] * asked


def test_the_operator_may_grant_what_its_pods_need() -> None:
    """Kubernetes lets nobody grant a right that he doesn't hold."""
    held = {
        (group, resource, verb)
        for rule in operators.rules_of("mariadb")
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    manifests = render(
        galera.TEMPLATES,
        "galera.yaml.j2",
        config={},
        scripts={},
        labels={},
        **dict.fromkeys(("config_hash", "account", "image", "storage_class", "storage_request", "node_selector"), "x"),
        name="db",
        namespace="cloud",
        replicas=3,
        uid=1,
        root_secret="s",
    )
    (role,) = (manifest for manifest in manifests if manifest["kind"] == "Role")
    for rule in role["rules"]:
        for group, resource, verb in (
            (g, r, v) for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]
        ):
            assert (group, resource, verb) in held
