"""Laws of the journal and of what is stored in it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.journal.codec import decode, encode
from seatrial.journal.reader import open_injections, read, scan
from seatrial.journal.writer import JournalWriter
from seatrial.model.errors import BadInput, HarnessBug
from seatrial.model.fault import Injection
from seatrial.model.inventory import Inventory
from seatrial.model.journal import Event, EventKind
from seatrial.model.observation import Observation
from seatrial.model.run import Plan, Run
from seatrial.model.target import Secret
from seatrial.model.verdict import Verdict

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
texts = st.text(min_size=1, max_size=12)
numbers = st.floats(min_value=0, max_value=1e9)
times = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
tuples_of_texts = st.lists(texts, max_size=3).map(tuple)
st.register_type_strategy(datetime, times)
observations = st.builds(
    Observation,
    id=texts,
    probe=texts,
    subject=texts,
    asked_at=times,
    took_s=numbers,
    value=json_values,
    error=st.none() | texts,
    excerpt=st.text(max_size=9),
)
injections = st.builds(
    Injection,
    id=texts,
    fault=texts,
    parameters=st.dictionaries(texts, json_values, max_size=3),
    subjects=tuples_of_texts,
    recipe=st.dictionaries(texts, json_values, max_size=3),
)
verdicts = st.builds(Verdict, violating=st.tuples(texts), seen=st.tuples(texts))
plans = st.builds(
    Plan,
    requirements=tuples_of_texts,
    scenarios=tuples_of_texts,
    budgets=st.dictionaries(texts, numbers, max_size=2),
    limits=st.dictionaries(texts, st.integers(), max_size=2),
)
runs = st.builds(
    Run,
    plan=plans,
    versions=st.dictionaries(texts, texts, max_size=2),
    ended_at=st.none() | times,
    verdicts=st.lists(verdicts, max_size=2).map(tuple),
)


@settings(max_examples=40, deadline=None)
@given(st.one_of(observations, injections, verdicts, plans, runs))
def test_every_central_value_survives_its_way_through_json(value: object) -> None:
    """Encoding and decoding again gives an equal value."""
    assert decode(type(value), encode(value)) == value


@given(verdicts, texts)
def test_an_unknown_key_is_refused_wherever_it_stands(verdict: Verdict, key: str) -> None:
    """A stored value with a key that its type does not have is not read."""
    data = encode(verdict)
    if key in data:
        return
    data[key] = 1
    with pytest.raises(BadInput):
        decode(Verdict, data)


def test_an_inventory_with_everything_in_it_survives(inventory: Inventory) -> None:
    """A snapshot with nodes, components, owners, Services, resources, operators and gaps is stored whole."""
    assert decode(Inventory, encode(inventory)) == inventory


def test_a_secret_cannot_be_stored() -> None:
    """The codec refuses secrets, wherever they stand in a value."""
    observation = Observation("o-1", "p", "s", datetime.now(UTC), 0.0, value={"password": Secret("x")})  # type: ignore[arg-type,dict-item]
    with pytest.raises(HarnessBug):
        encode(observation)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a journal with one injection in each state and an observation with letters beyond ASCII."""
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    with JournalWriter(path) as writer:
        for number in (1, 2):
            injection = Injection(f"i-{number}", "pause", {"pick": "one"}, ("pod/openstack/galera-0",), {"pid": 7})  # type: ignore[arg-type]
            writer.append(EventKind.PREPARED, encode(injection))
            writer.append(EventKind.INJECTING, {"injection": injection.id})
            writer.append(EventKind.INJECTED, {"injection": injection.id})
        writer.append(EventKind.UNDONE, {"injection": "i-1"})
        writer.append(EventKind.PHASE, {"name": "größer als »zuvor«"})
    return path.read_bytes()


def test_a_journal_cut_at_any_byte_is_a_shorter_journal(journal: bytes, tmp_path: Path) -> None:
    """Whatever the cut, what remains is a prefix of the events, and an injection is open unless it was proven gone."""
    whole = tmp_path / "whole"
    whole.write_bytes(journal)
    events = read(whole)
    cut_file = tmp_path / "cut"
    for cut in range(len(journal) + 1):
        cut_file.write_bytes(journal[:cut])
        found = read(cut_file)
        assert found == events[: len(found)]
        assert len(found) >= journal[:cut].count(b"\n")
        prepared = {event.data["id"] for event in found if event.kind is EventKind.PREPARED}
        undone = {event.data["injection"] for event in found if event.kind is EventKind.UNDONE}
        assert {injection.id for injection, _ in open_injections(found)} == prepared - undone


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_writing_goes_on_after_a_cut(journal: bytes, data: st.DataObject) -> None:
    """A journal that was cut anywhere can be continued, and then reads as one journal without a gap."""
    cut = data.draw(st.integers(0, len(journal)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        path.write_bytes(journal[:cut])
        before = read(path)
        with JournalWriter(path) as writer:
            writer.append(EventKind.ENDED, {"reason": "cut short"})
        after = read(path)
        assert after[:-1] == before
        assert [event.seq for event in after] == list(range(1, len(after) + 1))
        assert not scan(path).torn


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_reading_anything_ends_in_events_or_in_bad_input(content: bytes) -> None:
    """The reader never crashes, whatever bytes it is given."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        path.write_bytes(content)
        try:
            events = read(path)
        except BadInput as error:
            events = []
            told = str(error)
        else:
            told = "line"
        assert "line" in told
        assert all(isinstance(event, Event) for event in events)


def test_two_writers_at_once_are_refused(tmp_path: Path) -> None:
    """A journal that a live run holds cannot be written by another."""
    path = tmp_path / "journal.jsonl"
    with JournalWriter(path) as writer:
        writer.append(EventKind.PHASE, {"name": "first"})
        with pytest.raises(BadInput, match="still writing"):
            JournalWriter(path)


def test_events_carry_both_clocks(tmp_path: Path) -> None:
    """Each event says when it happened in UTC and on the writer's monotonic clock."""
    path = tmp_path / "journal.jsonl"
    with JournalWriter(path) as writer:
        first = writer.append(EventKind.PHASE, {"name": "a"})
        second = writer.append(EventKind.PHASE, {"name": "b"})
    assert second.mono_s >= first.mono_s
    assert abs(second.at_utc - datetime.now(UTC)) < timedelta(minutes=1)
    assert read(path) == [first, second]


@pytest.fixture
def inventory() -> Inventory:
    """Return a small snapshot in which every kind of entry occurs."""
    from seatrial.model import inventory as model  # noqa: PLC0415  (only this fixture needs the parts)

    owner = model.Owner("StatefulSet", "openstack-galera", "u-1")
    replica = model.Replica(
        "openstack-galera-0",
        "openstack",
        "u-2",
        "node-0",
        "10.128.0.7",
        True,
        "Running",
        (model.Container("galera", True, 0),),
        labels={"app": "galera"},
    )
    component = model.Component(
        "galera", "openstack-galera", "StatefulSet", "openstack", model.Role.DATABASE, 3, (replica,), (owner,)
    )
    service = model.ServiceObject(
        "openstack", "openstack", "galera", "ClusterIP", "172.30.0.9", (), (model.Port("mysql", 3306, "3306"),), {}, ()
    )
    condition = model.Condition("Ready", "True")
    resource = model.Resource(
        "Galera", "openstack", "openstack", "u-3", 2, 2, 3, (condition,), (), {"replicas": 3}, {"bootstrapped": True}
    )
    return model.Inventory(
        datetime.now(UTC),
        (model.Node("node-0", "10.0.0.1", True),),
        (component,),
        (service,),
        (resource,),
        (model.Operator("mariadb", component, owner), model.Operator("stray", component, None)),
        (model.Gap("secrets", "not permitted"),),
    )


FULL = """
import resource, signal, sys
from pathlib import Path
from seatrial.journal.writer import JournalWriter
from seatrial.model.journal import EventKind

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, room = Path(sys.argv[1]), int(sys.argv[2])
writer = JournalWriter(path)
for number in range(2):
    writer.append(EventKind.PHASE, {"name": str(number)})
size = path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, resource.RLIM_INFINITY))
failed = 0
for again in range(3):
    try:
        writer.append(EventKind.PHASE, {"name": "no room for this"})
    except OSError:
        failed += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert failed == 3, failed
assert path.stat().st_size == size, path.read_text()
"""


@pytest.mark.parametrize("room", [0, 1, 60])
def test_a_write_that_fails_leaves_the_file_as_it_was_and_nothing_more_is_written(tmp_path: Path, room: int) -> None:
    """A disk that was full for a moment: no half line, no number twice; a new writer goes on."""
    path = tmp_path / "journal.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path), str(room)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    with JournalWriter(path) as writer:
        writer.append(EventKind.ENDED, {"reason": "complete"})
    assert [event.seq for event in read(path)] == [1, 2, 3]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_line_is_told_and_costs_no_other_event(journal: bytes, data: st.DataObject) -> None:
    """To undo, everything that can be read counts; to judge, the journal is refused; no number is given twice."""
    lines = journal.splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = data.draw(st.binary(max_size=30).filter(lambda text: b"\n" not in text and b"\r" not in text)) + b"\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        path.write_bytes(b"".join(lines))
        found = scan(path)
        assert len(found.events) == len(lines) - 1
        assert [problem.where for problem in found.problems] == [f"{path}, line {at + 1}"]
        with pytest.raises(BadInput):
            read(path)
        with JournalWriter(path) as writer:
            event = writer.append(EventKind.ENDED, {"reason": "cut short"})
        assert event.seq == len(lines) + 1
