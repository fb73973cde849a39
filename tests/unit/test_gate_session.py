"""The gate where it stands: in the session, before anything is written down or touched, on a small cloud in memory."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from seatrial import waiting
from seatrial.engine.identity import identify
from seatrial.engine.presence import Presence
from seatrial.engine.session import Session
from seatrial.faults.absence import ScaleAway
from seatrial.faults.compose import together
from seatrial.faults.config import AlterConfigMap
from seatrial.faults.drift import DeleteObject, SetReplicas
from seatrial.faults.pod import DeletePod
from seatrial.faults.process import PauseProcess
from seatrial.journal.folder import RunFolder
from seatrial.journal.reader import scan
from seatrial.model.errors import NotPermitted
from seatrial.model.fault import Fault, Pick, Selector
from seatrial.model.journal import EventKind
from seatrial.model.run import Plan
from seatrial.model.target import Limits
from tests.fake.clock import Clock, installed
from tests.fake.kinds import OPERATORS
from tests.fake.platform import SPACE, Deployment, Platform

GALERA = "openstack-galera"
EVERYBODY = Selector("galera", Pick.ALL)


def member(number: int) -> Selector:
    return Selector("galera", Pick.NAMED, f"{GALERA}-{number}")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return installed(monkeypatch)


@pytest.fixture
def platform(clock: Clock) -> Platform:
    return Platform(clock)


def opened(platform: Platform, folder: Path, limits: Limits) -> Session:
    deployment: Any = Deployment(platform)
    deployment.target = replace(deployment.target, limits=limits)
    plan = Plan("fake", "gate", 1, (), (), "disrupt", waiting.budgets({}), {})
    return Session(
        deployment.target,
        RunFolder.create(folder, "fake", "gate"),
        plan,
        deployment=deployment,
        identity=identify(deployment),
    )


@pytest.mark.parametrize(
    ("fault", "limits", "why"),
    [
        (AlterConfigMap("coredns", "kube-system"), Limits({"*": 99}), "outside of the target's namespaces"),
        (ScaleAway(EVERYBODY), Limits({"*": 1}), f"3 of {GALERA} would be down"),
        (ScaleAway(EVERYBODY), Limits({"*": 9}), "would lose its majority"),
        (ScaleAway(EVERYBODY), Limits({"*": 9}, ("galera",)), "is protected"),
        (DeleteObject("Service", "keystone-internal", SPACE), Limits({"*": 9}, ("keystone",)), "is protected"),
        (AlterConfigMap("keystone-config-data", SPACE), Limits({"*": 9}, ("keystone",)), "is protected"),
        (SetReplicas("keystone", 0), Limits({"*": 1}), "2 of keystone would be down"),
        (SetReplicas("keystone", 3), Limits({}, ("key*",)), "is protected"),
        (DeletePod(member(1)), Limits({"galera": 0}), f"1 of {GALERA} would be down"),
        (PauseProcess(OPERATORS), Limits({"*": 1}, ("openstack.org/operator-name=keystone",)), "is protected"),
        (together(DeletePod(member(1)), PauseProcess(member(2))), Limits({"*": 1}), f"2 of {GALERA} would be down"),
        (together(DeletePod(member(1)), PauseProcess(member(2))), Limits({"*": 2}), "would lose its majority"),
    ],
)
def test_what_the_owner_does_not_allow_is_refused_before_it_is_written_down(
    platform: Platform, tmp_path: Path, fault: Fault, limits: Limits, why: str
) -> None:
    """Every fault, every drift: nothing is prepared, and the deployment is as it was."""
    owned = copy.deepcopy(platform.objects["ConfigMap", SPACE, "keystone-config-data"])
    owned["metadata"] |= {"name": "coredns", "namespace": "kube-system"}
    platform.objects["ConfigMap", "kube-system", "coredns"] = owned
    before = platform.facts()
    session = opened(platform, tmp_path, limits)
    with session.scenario("gate"), pytest.raises(NotPermitted, match=why):
        session.disrupt(fault)
    assert platform.facts() == before
    assert EventKind.PREPARED not in {event.kind for event in scan(session.folder.journal).events}
    session.close()


def test_what_has_died_since_it_was_last_looked_at_counts(platform: Platform, clock: Clock, tmp_path: Path) -> None:
    """The inventory of an earlier scenario would still say that all three are well."""
    session = opened(platform, tmp_path, Limits({"*": 1}))
    session.inventory()
    platform.boxes[SPACE, f"{GALERA}-0"]["galera"].running = False
    with session.scenario("gate"), pytest.raises(NotPermitted, match=r"2 of .* \(1 of 3 down already\)"):
        session.disrupt(DeletePod(member(1)))
    clock.sleep(10)
    with session.scenario("later"):
        assert session.disrupt(DeletePod(member(1))).held.value
    session.close()


def test_what_the_trial_has_hurt_and_not_taken_back_counts(platform: Platform, tmp_path: Path) -> None:
    """A frozen member looks ready to the platform for a while; the trial knows better."""
    session = opened(platform, tmp_path, Limits({"*": 1}))
    with session.scenario("gate"):
        frozen = session.disrupt(PauseProcess(member(1)))
        with pytest.raises(NotPermitted, match=r"2 of .* would be down at once .*1 of them by this trial"):
            session.disrupt(PauseProcess(member(2)))
        session.repair(frozen)
        session.disrupt(PauseProcess(member(2)))
    session.close()


def test_a_scenario_may_say_that_it_breaks_the_quorum(platform: Platform, tmp_path: Path) -> None:
    """Within the owner's limits all the same."""
    session = opened(platform, tmp_path, Limits({"*": 2}))
    with session.scenario("gate"):
        session.disrupt(together(DeletePod(member(1)), PauseProcess(member(2))), breaks_quorum=True)
    session.close()


class Shown:
    """Hears what a session shows of itself."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def hurt(self, injection: Any, inventory: Any) -> None:
        self.heard.append(f"hurt {injection.fault}")

    def recovered(self, injection: Any) -> None:
        self.heard.append(f"recovered {injection.fault}")

    def not_recovered(self, injection: Any) -> None:
        self.heard.append(f"not recovered {injection.fault}")

    def end(self, *, whole: bool, state: str) -> None:
        self.heard.append(f"end whole={whole} {state}")


def test_a_session_shows_each_hurt_and_gives_the_deployment_back_at_the_end(platform: Platform, tmp_path: Path) -> None:
    """In the order in which it happened; what is the harness's own is nobody's affair."""
    session = opened(platform, tmp_path, Limits({"*": 1}))
    shown = Shown()
    session._presence = cast("Presence", shown)
    with session.scenario("gate"):
        session.repair(session.disrupt(PauseProcess(member(1))))
    session.close()
    assert shown.heard == ["hurt pause_process", "recovered pause_process", "end whole=True complete"]


def test_a_session_that_leaves_something_behind_says_so(platform: Platform, tmp_path: Path) -> None:
    """The Lease is then left to keep others away until it is undone."""
    session = opened(platform, tmp_path, Limits({"*": 1}))
    shown = Shown()
    session._presence = cast("Presence", shown)

    def gone(request: str) -> None:
        if request.startswith(("exec", "get Pod", "list Pod")):
            msg = "the platform has lost its mind"
            raise OSError(msg)

    with pytest.raises(Exception, match="could not be taken back"), session.scenario("gate"):  # noqa: PT012
        session.disrupt(PauseProcess(member(1)))
        platform.before = gone
    with pytest.raises(Exception, match="could not be taken back"):
        session.close()
    assert shown.heard[:2] == ["hurt pause_process", "not recovered pause_process"]
    assert shown.heard[-1].startswith("end whole=False cut short")
