"""Load by a real Locust process against a small server: its figures arrive, and it ends, also when nobody ends it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.load.journal import figures, quantile
from seatrial.load.runner import Load, profiles, running
from seatrial.model.errors import BadInput
from seatrial.model.journal import EventKind
from seatrial.model.target import Cloud, Kubernetes, Target
from tests.unit.small_keystone import PASSWORD, Keystone
from tests.unit.small_platform import serving


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """A target whose cloud is a small server of this process."""
    with serving(keystone := Keystone()):
        clouds = tmp_path / "clouds.yaml"
        clouds.write_text(json.dumps({"clouds": {"small": keystone.entry()}}))
        yield Target("small", Kubernetes((tmp_path / "none",)), Cloud(clouds, "small"))


def test_figures_arrive_while_it_runs_and_it_ends_when_told(target: Target, tmp_path: Path) -> None:
    """Each second is handed on as a LOAD event; the process is gone afterwards; no file holds the password."""
    told: list[tuple[EventKind, Mapping[str, object]]] = []
    with running(Load(users=2), target, folder=tmp_path, note=lambda kind, data: told.append((kind, data))) as load:
        process = load._process
        time.sleep(1.5)
    assert process.returncode is not None
    assert {kind for kind, _ in told} == {EventKind.LOAD}
    assert sum(int(str(data["requests"])) for _, data in told) > 0
    assert all(data["failures"] == 0 for _, data in told)
    assert PASSWORD not in "".join(path.read_text() for path in (tmp_path / "load.jsonl", tmp_path / "locust.log"))


def test_it_ends_by_itself_when_the_harness_is_killed(target: Target, tmp_path: Path) -> None:
    """kill -9 of the harness leaves no load that nobody stops."""
    code = (
        "import sys, time; from pathlib import Path; from seatrial.load.runner import Load, Running;"
        "from seatrial.model.target import *; where = Path(sys.argv[1]);"
        "target = Target('small', Kubernetes((where,)), Cloud(where / 'clouds.yaml', 'small'));"
        "load = Running(Load(users=1), target, folder=where, note=lambda *_: None); load.wait_until_it_loads();"
        "print(load._process.pid, flush=True); time.sleep(60)"
    )
    argv = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as harness:
        assert harness.stdout is not None
        load = int(harness.stdout.readline())
        harness.send_signal(signal.SIGKILL)
    ends = time.monotonic() + 20
    while _alive(load):
        assert time.monotonic() < ends
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    # An orphan that has ended stays a zombie until whoever adopted it looks.
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (Load(profile="keystne"), "did you mean 'keystone'"),
        (Load(shape="stedy"), "did you mean 'steady'"),
        (Load(users=0), "1 or more"),
    ],
)
def test_a_load_that_does_not_exist_is_refused_before_anything_starts(
    load: Load, said: str, target: Target, tmp_path: Path
) -> None:
    """With what is accepted, and the nearest name."""
    with pytest.raises(BadInput, match=said), running(load, target, folder=tmp_path, note=lambda *_: None):
        pass


def test_shapes_are_no_profile() -> None:
    """Only load tests can be chosen."""
    assert "keystone" in profiles()
    assert "shapes" not in profiles()


@given(st.lists(st.floats(0, 1e5, allow_nan=False), min_size=1), st.floats(0, 1, allow_nan=False))
def test_a_quantile_is_one_of_the_numbers_and_grows_with_the_share(numbers: list[float], share: float) -> None:
    """Nearest rank: no time is reported that nobody waited."""
    ordered = sorted(numbers)
    value = quantile(ordered, share)
    assert value in ordered
    assert quantile(ordered, 0) == ordered[0]
    assert quantile(ordered, 1) == ordered[-1]
    assert value is not None
    assert sum(number <= value for number in ordered) >= int(share * 1000) / 1000 * len(ordered) - 1e-6


def test_a_second_without_requests_has_no_times() -> None:
    """Nothing is not zero milliseconds."""
    assert figures(0.0, 3, [], 0) == {
        "t": "1970-01-01T00:00:00.000+00:00",
        "users": 3,
        "requests": 0,
        "failures": 0,
        "p50_ms": None,
        "p95_ms": None,
    }


DISTRIBUTED = """
import os
from locust import User, constant_throughput, events, task
from seatrial.load.journal import attach

@events.init.add_listener
def begin(environment, **_):
    attach(environment)

class Busy(User):
    wait_time = constant_throughput(20)

    @task
    def work(self):
        self.environment.events.request.fire(
            request_type="GET", name="x", response_time=5.0, response_length=1, exception=None, context={}
        )
"""


def test_a_distributed_load_is_one_run_with_the_figures_of_all_workers(tmp_path: Path) -> None:
    """The master writes what it is told; a worker writes nothing."""
    (tmp_path / "load.py").write_text(DISTRIBUTED)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    locust = [sys.executable, "-m", "locust", "-f", "load.py", "--headless"]
    at = ["--master-host", "127.0.0.1", "--master-port", port]
    worker = subprocess.Popen([*locust, "--worker", *at], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        master = ["--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "1"]
        argv = [*locust, *master, "-u", "2", "-t", "6s", "--stop-timeout", "1"]
        done = subprocess.run(argv, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=90)
    finally:
        worker.terminate()
        worker.wait()
    folders = list((tmp_path / "reports").iterdir())
    assert len(folders) == 1, done.stderr
    events = [json.loads(line) for line in (folders[0] / "journal.jsonl").read_text().splitlines()]
    loads = [event["data"] for event in events if event["kind"] == "load"]
    assert sum(load["requests"] for load in loads) > 20
    assert {load["p50_ms"] for load in loads if load["requests"]} == {5.0}
