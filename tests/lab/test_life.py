"""A lab comes and goes, however rudely, and the machine is afterwards what it was before."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import LAB, seatrial_lab

STATE = Path("/var/lib/seatrial-lab")


@pytest.fixture
def alone() -> Iterator[None]:
    """No lab is up before, and none is left after."""
    if os.environ.get("SEATRIAL_LAB_REUSE"):
        pytest.skip("these tests boot labs of their own, and one is up that is to be kept")
    assert not STATE.exists(), "a lab is up: take it down first"
    yield
    assert seatrial_lab("down").returncode == 0


def alive() -> Iterator[tuple[str, str]]:
    """Yield pid and name of every process that lives; a dead one that the machine's init has yet to reap does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, tail = stat.read_text().rsplit(")", 1)
        except OSError:
            continue
        if tail.split()[0] != "Z":
            yield stat.parent.name, head.split("(", 1)[1]


def machine() -> dict[str, set[str]]:
    """Everything that a lab could leave behind: namespaces, links, mounts, groups, firewall rules, folders."""

    def lines(*argv: str) -> set[str]:
        return set(subprocess.run(argv, check=True, capture_output=True, text=True).stdout.splitlines())

    mounts = {line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()}
    groups = {str(p) for root in Path("/sys/fs/cgroup").iterdir() if root.is_dir() for p in root.glob("seatrial*")}
    kept = ("containerd", "etcd", "kube", "beam.smp", "mariadbd", "coredns", "uwsgi", "speaker", "controller")
    running = {f"{pid} {name}" for pid, name in alive() if name.startswith(kept)}
    return {
        "namespaces": lines("ip", "netns", "list"),
        "links": {line.split(":")[1].split("@")[0].strip() for line in lines("ip", "-o", "link")},
        "routes": lines("ip", "route", "show", "table", "all"),
        "rules": lines("nft", "list", "ruleset"),
        "mounts": mounts,
        "groups": groups,
        "processes": running,
        "folders": {str(p) for p in (*Path("/var/lib").glob("seatrial*"), *Path.home().glob(".*/"))},
        "netns files": {str(p) for p in Path("/run/netns").glob("*")},
    }


def _hear_ctrl_c() -> None:
    """A shell starts what it runs in the background with SIGINT ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def boot() -> Iterator[subprocess.Popen[bytes]]:
    """A boot under way, as from a terminal; whatever the test does, it has ended afterwards."""
    argv = [*LAB, "up", "--kubernetes-only"]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(argv, stdout=quiet, stderr=quiet, preexec_fn=_hear_ctrl_c)  # noqa: PLW1509 - no threads
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _begun(process: subprocess.Popen[bytes]) -> None:
    """Wait until a boot has made its first things."""
    while not (STATE / "lab.json").exists():
        assert process.poll() is None
        time.sleep(0.05)


def test_a_boot_and_an_orderly_end_leave_the_machine_as_it_was(alone: None) -> None:
    """Up, then down: every namespace, link, mount, group, rule, process and folder is as before."""
    before = machine()
    done = seatrial_lab("up", "--kubernetes-only")
    assert done.returncode == 0, done.stderr
    assert machine() != before
    assert seatrial_lab("down").returncode == 0
    assert machine() == before


@pytest.mark.parametrize("after_s", [0.4, 2.0, 6.0, 12.0])
def test_a_boot_killed_at_any_moment_can_be_swept(alone: None, after_s: float) -> None:
    """kill -9 of `up` in the middle of things; `down` then leaves nothing."""
    before = machine()
    with boot():
        time.sleep(after_s)
    assert seatrial_lab("down").returncode == 0
    assert machine() == before


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_boot_that_is_told_to_end_is_an_orderly_down(alone: None, told: signal.Signals) -> None:
    """It removes what it had made."""
    before = machine()
    with boot() as process:
        _begun(process)
        time.sleep(2.0)  # into the middle of it
        process.send_signal(told)
        assert process.wait(timeout=30) == 128 + told
    assert machine() == before


def test_a_second_lab_is_refused_before_anything_is_touched(alone: None) -> None:
    """Two at once: the second says that a lab is up, and whose."""
    with boot() as process:
        _begun(process)
        second = seatrial_lab("up", "--kubernetes-only")
        assert second.returncode == 1
        assert "root" in second.stderr
        assert "Traceback" not in second.stderr
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def test_a_dead_program_of_the_platform_is_started_again(alone: None) -> None:
    """kill -9 of a kubelet, of a containerd and of the scheduler: each is back within seconds."""
    assert seatrial_lab("up", "--kubernetes-only").returncode == 0
    for name in ("node-0-kubelet", "node-1-containerd", "scheduler"):
        file = STATE / "pids" / name
        pid = int(file.read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while int(file.read_text().split()[0]) == pid:
            assert time.monotonic() < deadline, f"{name} was not started again"
            time.sleep(0.1)
