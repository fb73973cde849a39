"""Whenever the harness dies or fails, what it did is taken back: every kind of fault, at every moment, on a small cloud."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial import waiting
from seatrial.engine.disruption import Kept
from seatrial.engine.identity import identify
from seatrial.engine.session import Session
from seatrial.engine.undo import Undone, left_behind, undo_run
from seatrial.faults import KINDS
from seatrial.faults.absence import ScaleAway
from seatrial.faults.compose import together
from seatrial.faults.drift import DeleteObject, SetReplicas
from seatrial.faults.fixture_pod import AgentPod
from seatrial.faults.fixture_projects import KeystoneProjects
from seatrial.faults.fixture_queue import BrokerQueue
from seatrial.faults.fixture_schema import SqlSchema
from seatrial.faults.pod import DeletePod
from seatrial.faults.process import KillProcess, PauseProcess
from seatrial.journal.folder import RunFolder
from seatrial.journal.reader import scan
from seatrial.journal.writer import JournalWriter
from seatrial.model.errors import BadInput, NotPermitted, SeatrialError, UndoFailed, Unreachable
from seatrial.model.fault import Fault, Pick, Selector
from seatrial.model.journal import EventKind
from seatrial.model.run import Plan
from tests.fake.clock import Clock, installed
from tests.fake.platform import SPACE, Deployment, Platform

ONE = Selector("galera", Pick.NAMED, "openstack-galera-1")
ALL = Selector("operators", Pick.ALL)
MAKE: dict[str, Callable[[], Fault]] = {
    DeletePod.kind: lambda: DeletePod(ONE),
    KillProcess.kind: lambda: KillProcess(ONE),
    PauseProcess.kind: lambda: PauseProcess(ALL),
    ScaleAway.kind: lambda: ScaleAway(ALL),
    DeleteObject.kind: lambda: DeleteObject("Service", "keystone-internal", SPACE),
    SetReplicas.kind: lambda: SetReplicas("keystone", 3),
    AgentPod.kind: AgentPod,
    SqlSchema.kind: SqlSchema,
    BrokerQueue.kind: BrokerQueue,
    KeystoneProjects.kind: KeystoneProjects,
    "together": lambda: together(DeletePod(ONE), PauseProcess(Selector("rabbitmq", Pick.NAMED, "rabbitmq-server-1"))),
}
EQUIPMENT = {AgentPod.kind, SqlSchema.kind, BrokerQueue.kind, KeystoneProjects.kind}
KIND = pytest.mark.parametrize("kind", sorted(MAKE))


class Killed(BaseException):
    """The harness is dead from this moment on."""


@dataclass
class Harness:
    """A harness that can be killed, or whose disk can fill up; what it does to the platform stays."""

    platform: Platform
    folder: RunFolder
    dies_at_line: int = 0
    dies_at_request: int = 0
    full_from_line: int = 0
    dead: bool = False

    def session(self) -> Session:
        deployment: Any = Deployment(self.platform)
        plan = Plan("fake", "laws", 1, (), (), "disrupt", waiting.budgets({}), {})
        identity = identify(deployment)
        session = Session(deployment.target, self.folder, plan, deployment=deployment, identity=identity)
        self.platform.before = self._asked
        self._asked_before = len(self.platform.requests)
        writer = session.journal
        write = writer.append

        def append(kind: EventKind, data: Any) -> Any:
            self._alive()
            lines = scan(self.folder.journal).last_seq
            if self.full_from_line and lines + 1 >= self.full_from_line:
                raise OSError(errno.ENOSPC, "No space left on device")
            event = write(kind, data)
            if self.dies_at_line and lines + 1 >= self.dies_at_line:
                self.dead = True
            self._alive()
            return event

        writer.append = append  # type: ignore[method-assign]
        return session

    def _asked(self, request: str) -> None:
        self._alive()
        if self.dies_at_request and len(self.platform.requests) - self._asked_before >= self.dies_at_request:
            self.dead = True
            self._alive()

    def _alive(self) -> None:
        if self.dead:
            raise Killed


def try_out(harness: Harness, fault: Fault) -> Session:
    """Do what a scenario does: put it in, take it back, end; what it raises is told by who called."""
    session = harness.session()
    try:
        with session.scenario("law"):
            if fault.kind in EQUIPMENT:
                made = session.equip(fault, Kept.SCENARIO)
                if fault.kind == KeystoneProjects.kind:
                    harness.platform.projects["p-2"] = f"{made.fault.access(made.injection).prefix}1"  # type: ignore[attr-defined]
            else:
                session.repair(session.disrupt(fault))
    finally:
        if not harness.dead:
            session.close()
        session.journal.close()
    return session


def undo_in_a_new_process(platform: Platform, folder: RunFolder, **target: Any) -> list[Undone]:
    """Take back from the journal alone, with clients of its own."""
    platform.before = lambda request: None
    deployment: Any = Deployment(platform, **target)
    return undo_run(folder, deployment)


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    with pytest.MonkeyPatch.context() as patch:
        yield installed(patch)


@pytest.fixture
def platform(clock: Clock) -> Platform:
    return Platform(clock)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, "fake", "laws")


def lines_of(clock: Clock, tmp_path: Path, kind: str) -> int:
    """Return how many lines a trial of this kind writes when nothing goes wrong."""
    place = RunFolder.create(tmp_path, "dry", "run")
    try_out(Harness(Platform(clock), place), MAKE[kind]())
    return len(place.events())


def test_every_kind_is_tried() -> None:
    """A fault or a piece of equipment that is not below is not proven to be taken back."""
    assert set(MAKE) == set(KINDS)


@KIND
def test_a_whole_trial_leaves_nothing(platform: Platform, folder: RunFolder, kind: str) -> None:
    """The cloud itself is as before, the proof was positive, and the journal has nothing open."""
    before = platform.facts()
    session = try_out(Harness(platform, folder), MAKE[kind]())
    assert session.tainted is None
    proofs = [e.data for e in folder.events() if e.kind is EventKind.OBSERVATION]
    held = [p["value"]["held"] for p in proofs if p["probe"] == "fault.took_hold"]  # type: ignore[index, call-overload]
    assert held == [True], proofs
    assert left_behind(folder).injections == ()
    platform.settle()
    assert platform.facts() == before


@KIND
def test_killed_after_any_line_of_the_journal(clock: Clock, tmp_path: Path, kind: str) -> None:
    """kill -9 there, undo in a new process, twice: the cloud is as before, and nothing is open."""
    for line in range(1, lines_of(clock, tmp_path, kind) + 1):
        platform, folder = Platform(clock), RunFolder.create(tmp_path, f"line-{line}", "killed")
        before = platform.facts()
        with pytest.raises(Killed):
            try_out(Harness(platform, folder, dies_at_line=line), MAKE[kind]())
        for _ in range(2):
            assert [undone.failure for undone in undo_in_a_new_process(platform, folder) if undone.failure] == []
        assert left_behind(folder).injections == ()
        platform.settle()
        assert platform.facts() == before, f"killed after line {line}"


@settings(max_examples=60)
@given(kind=st.sampled_from(sorted(MAKE)), at=st.integers(1, 60), data=st.data())
def test_killed_at_any_request(clock: Clock, tmp_path_factory: pytest.TempPathFactory, kind: str, at: int, data: Any) -> None:
    """Between any two requests too, and the undo itself is killed as often as it likes before one comes to its end."""
    platform = Platform(clock)
    folder = RunFolder.create(tmp_path_factory.mktemp("killed"), "fake", "laws")
    before = platform.facts()
    try:
        try_out(Harness(platform, folder, dies_at_request=at), MAKE[kind]())
    except Killed:
        for again in data.draw(st.lists(st.integers(3, 30), max_size=3)):
            killed_while_undoing(platform, folder, again)
        assert not [undone for undone in undo_in_a_new_process(platform, folder) if undone.failure]
    assert left_behind(folder).injections == ()
    platform.settle()
    assert platform.facts() == before


def killed_while_undoing(platform: Platform, folder: RunFolder, after: int) -> None:
    """Begin an undo and die in it."""
    begun = len(platform.requests)

    def before(request: str) -> None:
        if len(platform.requests) - begun >= after:
            raise Killed

    platform.before = before
    deployment: Any = Deployment(platform)
    try:
        undo_run(folder, deployment)
    except Killed:
        return


@KIND
def test_a_disk_that_is_full_from_any_line_on(clock: Clock, tmp_path: Path, kind: str) -> None:
    """What was done is taken back all the same, by the run itself; the journal can be read and undone afterwards."""
    for line in range(1, lines_of(clock, tmp_path, kind) + 1):
        platform, folder = Platform(clock), RunFolder.create(tmp_path, f"line-{line}", "full")
        before = platform.facts()
        with pytest.raises((OSError, UndoFailed)) if line < 5 else pytest.MonkeyPatch.context():
            try_out(Harness(platform, folder, full_from_line=line), MAKE[kind]())
        platform.settle()
        assert platform.facts() == before, f"full from line {line} on"
        assert not [undone for undone in undo_in_a_new_process(platform, folder) if undone.failure]
        events = folder.events()
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert left_behind(folder).injections == ()
