"""A compute node as a machine, tried for real: in a network namespace of its own, under a supervisor of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from seatrial_lab import paths
from seatrial_lab.errors import LabError
from seatrial_lab.host import machine, ssh
from seatrial_lab.host.supervisor import MARK
from seatrial_lab.topology import ComputeNode

pytestmark = pytest.mark.lab

NODE = ComputeNode("compute-9", "seatrial-try-9", IPv4Address("192.168.122.109"))
PATIENCE_S = 15.0


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def inside(state: Path, command: str) -> str:
    argv = [*machine.entered(state, NODE), "sh", "-c", command]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def runs(state: Path, service: str = "sshd") -> bool:
    """Whether the machine is on, and a service of it runs; sshd is its last."""
    try:
        return inside(state, f"sv status {service}").startswith("run:")
    except (LabError, subprocess.CalledProcessError):
        return False


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    state = tmp_path / "state"
    for folder in ("log", "pids", "units", "pki", "src"):
        (state / folder).mkdir(parents=True)
    subprocess.run(["ip", "netns", "add", NODE.namespace], check=True)
    try:
        for line in ("link add eth0 type veth peer name other", f"addr add {NODE.address}/24 dev eth0"):
            subprocess.run(["ip", "-n", NODE.namespace, *line.split()], check=True)
        for device in ("lo", "eth0", "other"):
            subprocess.run(["ip", "-n", NODE.namespace, "link", "set", device, "up"], check=True)
        # By a process that ends at once: the supervisor is nobody's child.
        start = (
            "import pathlib, sys; from seatrial_lab.host.process import *; start_supervisor(pathlib.Path(sys.argv[1]))"
        )
        subprocess.run([sys.executable, "-c", start, str(state)], check=True)
        machine.install(state, NODE, ssh.public_key(state))
        machine.start(state, NODE, {"/usr": Path("/usr"), "/opt/lab/src": paths.PACKAGE.parent})
        until(lambda: runs(state))
        yield state
    finally:
        mark = f"{MARK}={state}".encode()
        for found in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (found / "environ").read_bytes().split(b"\0"):
                    os.kill(int(found.name), signal.SIGKILL)
        subprocess.run(["ip", "netns", "del", NODE.namespace], check=True)


def test_a_machine_is_its_own_and_comes_back_with_what_was_on_its_disk(state: Path) -> None:
    """Own name, processes and files; a clean reboot, a hard reset, and off until it is switched on."""
    assert inside(state, "hostname; cat /proc/1/comm").split() == [NODE.name, "catatonit"]
    inside(state, "echo kept >/var/lib/kept; echo lost >/run/lost; mkdir /etc/service/late")
    inside(state, "printf '#!/bin/sh\\nexec sleep 1000\\n' >/etc/service/late/run; chmod 755 /etc/service/late/run")
    for again in (machine.reboot, machine.reset):
        before = machine.init_of(state, NODE)
        again(state, NODE)
        until(lambda: runs(state))
        assert machine.init_of(state, NODE) != before
        assert inside(state, "cat /var/lib/kept; ls /run/lost 2>/dev/null || echo gone").split() == ["kept", "gone"]
        until(lambda: runs(state, "late"))
    machine.off(state, NODE)
    time.sleep(2)
    assert machine.init_of(state, NODE) is None
    machine.on(state, NODE)
    until(lambda: runs(state))


def test_a_machine_between_its_end_and_its_next_start_is_off(tmp_path: Path) -> None:
    """Unshare is still there, or there already, and nothing runs inside."""
    (tmp_path / "pids").mkdir()
    with subprocess.Popen(["unshare", "60"], executable="/bin/sleep") as alone:
        (tmp_path / "pids" / NODE.name).write_text(f"{alone.pid} 0")
        try:
            assert machine.init_of(tmp_path, NODE) is None
        finally:
            alone.kill()


def test_only_the_labs_key_opens_a_machine(state: Path) -> None:
    """And only on ctlplane."""
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes", "LogLevel=ERROR"]
    enter = ["nsenter", f"--net=/run/netns/{NODE.namespace}", "ssh", *(f"-o{option}" for option in options)]
    key = str(state / "pki/ssh-ansible")
    asked = [*enter, "-i", key, f"root@{NODE.address}", "id", "-un"]
    # A machine that is on may yet have to start its sshd.
    until(lambda: subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip() == "root")
    refused = subprocess.run([*enter, f"root@{NODE.address}", "true"], check=False, capture_output=True, text=True)
    assert "Permission denied" in refused.stderr
    elsewhere = subprocess.run([*enter, "-i", key, "root@127.0.0.1"], check=False, capture_output=True, text=True)
    assert "refused" in elsewhere.stderr
