"""Whenever the harness dies or fails, what it did is taken back: every kind of fault, at every moment."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import suppress
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
from seatrial.faults.drift import SetReplicas
from seatrial.faults.fixture_projects import KeystoneProjects
from seatrial.faults.fixture_schema import SqlSchema
from seatrial.faults.pod import DeletePod
from seatrial.faults.process import PauseProcess
from seatrial.journal.folder import RunFolder
from seatrial.journal.reader import scan
from seatrial.journal.writer import JournalWriter
from seatrial.model.errors import BadInput, NotPermitted, UndoFailed, Unreachable
from seatrial.model.fault import Fault, Selector
from seatrial.model.journal import EventKind
from seatrial.model.run import Plan
from tests.fake.clock import Clock, installed
from tests.fake.kinds import BROKER, EQUIPMENT, MAKE, ONE
from tests.fake.platform import SPACE, Deployment, LandsLater, Platform

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
        try:
            if not harness.dead:
                session.close()
        finally:
            session.journal.close()  # as the death of its process does
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
def test_killed_at_any_request(
    clock: Clock, tmp_path_factory: pytest.TempPathFactory, kind: str, at: int, data: Any
) -> None:
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
        with suppress(OSError):  # what the run says of its disk
            try_out(Harness(platform, folder, full_from_line=line), MAKE[kind]())
        platform.settle()
        assert platform.facts() == before, f"full from line {line} on"
        assert not [undone for undone in undo_in_a_new_process(platform, folder) if undone.failure]
        events = folder.events()
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert left_behind(folder).injections == ()


@settings(max_examples=60)
@given(kind=st.sampled_from(sorted(MAKE)), since=st.integers(1, 60), lasts_s=st.integers(1, 90))
def test_a_platform_that_does_not_answer_for_a_while(
    clock: Clock, tmp_path_factory: pytest.TempPathFactory, kind: str, since: int, lasts_s: int
) -> None:
    """No answer is *not yet*: an outage of the API server that is shorter than the budget taints nothing."""
    platform = Platform(clock)
    folder = RunFolder.create(tmp_path_factory.mktemp("away"), "fake", "laws")
    before = platform.facts()
    harness = Harness(platform, folder)
    begins: list[float] = []

    def away(request: str) -> None:
        if len(platform.requests) > since:
            begins.append(clock.now)
            if clock.now < begins[0] + lasts_s:
                clock.sleep(1)
                raise Unreachable("the platform's API did not answer")

    session = None
    with suppress(Unreachable, NotPermitted):
        session = try_out(_with(harness, away), MAKE[kind]())
    assert session is None or session.tainted is None
    assert left_behind(folder).injections == ()
    platform.settle()
    assert platform.facts() == before


def _with(harness: Harness, happens: Callable[[str], None]) -> Harness:
    """Let something happen before each request of the harness, once it is at work."""
    asked = harness._asked

    def both(request: str) -> None:
        asked(request)
        happens(request)

    harness._asked = both  # type: ignore[method-assign]
    return harness


class Freezes(PauseProcess):
    """The real fault, whose undo fails in a way of its own, once or for ever."""

    raises: BaseException
    often: int

    def undo(self, deployment: Any, injection: Any, waited_s: float) -> None:
        if Freezes.often:
            Freezes.often -= 1
            raise Freezes.raises
        super().undo(deployment, injection, waited_s)


BAD_ENDS = [
    KeyError("metadata"),
    KeyboardInterrupt(),
    RuntimeError("can't start new thread"),
    MemoryError(),
    OSError(28, "full"),
]


@pytest.mark.parametrize("raises", BAD_ENDS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("often", [1, 1000])
def test_whatever_an_undo_raises_the_others_are_taken_back_and_nothing_more_is_started(
    platform: Platform, folder: RunFolder, raises: BaseException, often: int
) -> None:
    """What failed stays open and is tried again at the end; only an undo that was interrupted or never works taints."""
    Freezes.raises, Freezes.often = raises, often
    broker = PauseProcess(BROKER)
    session = Harness(platform, folder).session()
    ended: BaseException | None = None
    try:
        with session.scenario("first"):
            session.disrupt(broker)
            session.disrupt(Freezes(ONE))
    except (UndoFailed, KeyboardInterrupt) as error:
        ended = error
    assert (ended is None) == (session.tainted is None)
    assert ended is not None or (often == 1 and isinstance(raises, Exception))
    stopped = {pod for pod, _ in platform.facts()["stopped"]}  # type: ignore[attr-defined]
    assert "rabbitmq-server-1" not in stopped
    if ended is not None:
        assert session.still_open()
        with pytest.raises(UndoFailed), session.scenario("second"):
            session.disrupt(broker)
    Freezes.often = 0
    run = session.close()
    assert (run.state == "complete") == (ended is None)
    assert left_behind(folder).injections == ()
    assert platform.facts()["stopped"] == []


def test_undo_refuses_another_deployment_and_touches_nothing(
    clock: Clock, platform: Platform, folder: RunFolder
) -> None:
    """The context was switched, the folder was copied: both are named, and the recipe stays open."""
    prepared = killed_with_hurts(folder, platform, PauseProcess(ONE))
    for other, target in ((Platform(clock, name="b"), {}), (platform, {"name": "prod-2"})):
        asked = len(other.requests)
        facts = other.facts()
        with pytest.raises(BadInput) as refused:
            undo_in_a_new_process(other, folder, **target)
        assert "on which the run has acted" in str(refused.value)
        assert ("uid-b" in str(refused.value)) == (other is not platform)
        assert {request.split()[0] for request in other.requests[asked:]} <= {"get", "list"}
        assert other.facts() == facts
    assert [i.id for i in left_behind(folder).injections] == [prepared]
    assert not [undone for undone in undo_in_a_new_process(platform, folder) if undone.failure]
    assert platform.facts()["stopped"] == []


def killed_with_hurts(folder: RunFolder, platform: Platform, *faults: Fault) -> str:
    """Leave a harness that has hurt and was killed; return the id of its last injection."""
    session = Harness(platform, folder).session()
    scope = session.scenario("law")
    scope.__enter__()
    made = [session.disrupt(fault) for fault in faults]
    session.journal.close()
    session._open.clear()  # nobody cleans up after the dead
    return made[-1].injection.id


@settings(max_examples=40)
@given(line=st.integers(0, 40), damage=st.sampled_from(["\x00", "{}", "not json", '{"seq":1}', "newer"]))
def test_every_line_that_can_be_read_counts(
    clock: Clock, tmp_path_factory: pytest.TempPathFactory, line: int, damage: str
) -> None:
    """One damaged line, or one of a newer version, costs at most the injection that it held; judging refuses it."""
    platform = Platform(clock)
    folder = RunFolder.create(tmp_path_factory.mktemp("damaged"), "fake", "laws")
    killed_with_hurts(folder, platform, PauseProcess(ONE), PauseProcess(BROKER))
    lines = folder.journal.read_text().splitlines()
    at = line % len(lines)
    held_recipe = '"kind":"prepared"' in lines[at]
    newer = lines[at].replace('"kind":"', '"kind":"newer_')
    lines[at] = newer if damage == "newer" else damage
    folder.journal.write_text("\n".join(lines) + "\n")
    with pytest.raises(BadInput):
        folder.events()
    assert left_behind(folder).problems
    done = undo_in_a_new_process(platform, folder)
    assert [undone.failure for undone in done] == [None] * (1 if held_recipe else 2)
    assert len(platform.facts()["stopped"]) == (1 if held_recipe else 0)  # type: ignore[arg-type]


def test_a_kind_that_this_version_does_not_know_does_not_keep_the_others(platform: Platform, folder: RunFolder) -> None:
    """It is told as not taken back, and stays open."""
    killed_with_hurts(folder, platform, PauseProcess(ONE), PauseProcess(BROKER))
    text = folder.journal.read_text()
    last = text.rindex('"fault":"pause_process","parameters"')
    folder.journal.write_text(text[:last] + text[last:].replace("pause_process", "netem_delay", 1))
    done = undo_in_a_new_process(platform, folder)
    assert [undone.failure is None for undone in done] == [False, True]
    assert "netem_delay" in str(done[0].failure)
    assert [i.fault for i in left_behind(folder).injections] == ["netem_delay"]


def test_a_schema_is_dropped_on_every_member_when_replication_is_what_is_broken(
    platform: Platform, folder: RunFolder
) -> None:
    """DB-4 is about just that; asking one member would call it undone."""
    before = platform.facts()
    session = Harness(platform, folder).session()
    with session.scenario("law"):
        session.equip(SqlSchema(), Kept.SCENARIO)
        platform.replicates = False
    session.close()
    assert platform.facts() == before


def test_undo_needs_no_run_json_and_no_target_name_in_it(platform: Platform, folder: RunFolder) -> None:
    """A run that was killed before its first save, or lost it, is taken back all the same."""
    killed_with_hurts(folder, platform, PauseProcess(ONE))
    folder.run_json.unlink(missing_ok=True)
    assert RunFolder.open(folder.path, journal_alone=True) == folder
    with pytest.raises(BadInput):
        RunFolder.open(folder.path)
    assert not [undone for undone in undo_in_a_new_process(platform, folder) if undone.failure]


def test_an_evicted_pod_does_not_keep_a_component_from_being_whole(platform: Platform, folder: RunFolder) -> None:
    """Its controller has long made another; it only still stands in the list."""
    keystone = next(m for key, m in platform.objects.items() if key[0] == "Pod" and key[2].startswith("keystone-5d8f"))
    evicted = {**keystone, "metadata": {**keystone["metadata"], "name": "keystone-5d8f-99999", "uid": "old"}}
    evicted["status"] = {"phase": "Failed", "reason": "Evicted"}
    platform.evicted.append(evicted)
    session = try_out(Harness(platform, folder), DeletePod(Selector("keystone")))
    assert session.tainted is None
    assert left_behind(folder).injections == ()


@pytest.mark.parametrize("after_s", [0.3, 4.0, 25.0])
@pytest.mark.parametrize("dies", [False, True], ids=["answer lost", "killed"])
@KIND
def test_an_act_whose_answer_was_lost_is_taken_back_when_it_lands_later(
    clock: Clock, tmp_path: Path, kind: str, dies: bool, after_s: float
) -> None:
    """A command runs on in a pod after its client is gone: *gone* is proof only when nothing is under way."""
    platform, folder = Platform(clock), RunFolder.create(tmp_path, "late", "laws")
    before = platform.facts()
    harness = Harness(platform, folder)
    lost: list[str] = []

    def loses(request: str) -> None:
        injecting = folder.journal.read_text().count('"kind":"injecting"')
        acts = request.startswith(("create", "patch", "delete", "exec"))
        if injecting and acts and not lost:
            lost.append(request)
            harness.dead = dies
            raise LandsLater(after_s, Killed() if dies else Unreachable("the connection broke off"))

    with suppress(Killed, Unreachable, NotPermitted):
        try_out(_with(harness, loses), MAKE[kind]())
    for _ in range(2):
        assert [undone.failure for undone in undo_in_a_new_process(platform, folder) if undone.failure] == []
    assert left_behind(folder).injections == ()
    platform.settle()
    assert platform.facts() == before, lost


def test_what_was_broken_before_is_nobody_s_to_repair_here(platform: Platform, folder: RunFolder) -> None:
    """A pod that never gets ready keeps no fault open: as many are whole as were."""
    broken = next(pod for space, pod in platform.boxes if pod.startswith("keystone-5d8f"))
    next(iter(platform.boxes[SPACE, broken].values())).processes[7].state = "T"
    platform.settle()
    session = try_out(Harness(platform, folder), MAKE["set_replicas"]())
    assert session.tainted is None
    assert left_behind(folder).injections == ()


@pytest.mark.parametrize(("component", "to"), [("openstack-galera", 4), ("keystone", 500)])
def test_more_than_one_instance_more_or_a_volume_more_is_no_drift(
    platform: Platform, folder: RunFolder, component: str, to: int
) -> None:
    """What would stay behind, or flood a cluster, is refused."""
    session = Harness(platform, folder).session()
    with pytest.raises(NotPermitted), session.scenario("law"):
        session.disrupt(SetReplicas(component, to))
    session.close()


def test_a_folder_that_can_only_be_read_is_undone_all_the_same(
    platform: Platform, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archived run, another user's: what stands in its journal is taken back, and stays open on paper."""
    killed_with_hurts(folder, platform, PauseProcess(ONE))

    def refuses(path: Path) -> JournalWriter:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr("seatrial.engine.undo.JournalWriter", refuses)
    assert [undone.failure for undone in undo_in_a_new_process(platform, folder)] == [None]
    assert platform.facts()["stopped"] == []
    assert left_behind(folder).injections


def test_a_run_is_who_it_was_whatever_its_folder_is_called(platform: Platform, folder: RunFolder) -> None:
    """An artifact of CI is renamed; its Lease is not."""
    session = Harness(platform, folder).session()
    session.note(EventKind.PHASE, {"name": "opened", "run": folder.id})
    session.close()
    moved = folder.path.rename(folder.path.with_name("artifact"))
    assert RunFolder(moved).id == folder.path.name
