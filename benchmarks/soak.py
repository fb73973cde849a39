"""Runs the acceptance test of a lab of size full over and over, and says what that did to the lab.

    seatrial-lab up --size full && python benchmarks/soak.py [MINUTES]

For each round: how long it took, and the memory in use at its end. At the end: what had to be started again, what was
ended for want of memory, and whose containers hold more memory than they have asked for. Ends with 1 if a round failed,
or anything was started again or ended for want of memory.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.utils import parse_quantity
from run import run

MINUTES = 60.0
TEST = ("tests/lab/test_full_acceptance.py", "-m", "full", "-q", "-p", "no:randomly")
MIB = 1 << 20


def kubeconfig() -> Path:
    """Return the administrator's kubeconfig of the lab that is up."""
    return Path(run("seatrial_lab", "target", "--file").stdout.strip()).with_name("admin.kubeconfig")


def containers(core: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield every container of the cluster: its name, what it asks for, and how it is."""
    for pod in core.list_pod_for_all_namespaces().items:
        states = {state.name: state for state in pod.status.container_statuses or ()}
        for container in pod.spec.containers:
            if container.name in states:
                name = f"{pod.metadata.namespace}/{pod.metadata.name}/{container.name}"
                yield name, container, states[container.name]


def ended_for_memory() -> int:
    """Return how many processes the kernel has ended for want of memory since it started."""
    counters = Path("/proc/vmstat").read_text()
    return int(re.findall(r"^oom_kill (\d+)$", counters, flags=re.MULTILINE)[0])


def in_use_mib() -> int:
    """Return the machine's memory in use, in MiB."""
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return (int(fields["MemTotal"].split()[0]) - int(fields["MemAvailable"].split()[0])) // 1024


def held(container_id: str) -> int | None:
    """Return the bytes that a container holds and could not give back; None where control groups do not say."""
    number = container_id.removeprefix("containerd://")
    for root, total, file in (
        ("memory", "memory.usage_in_bytes", "total_inactive_file"),
        ("", "memory.current", "inactive_file"),
    ):
        for group in Path("/sys/fs/cgroup", root).glob(f"**/{number}"):
            stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            return int((group / total).read_text()) - int(stat[file])
    return None


def requested(container: Any) -> int:
    """Return the bytes of memory that a container asks for."""
    asked = ((container.resources and container.resources.requests) or {}).get("memory", "0")
    return int(parse_quantity(asked))


def main() -> int:
    """Go round until the time is up, and report."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES
    config.load_kube_config(str(kubeconfig()))
    core = client.CoreV1Api()
    before = {name: state.restart_count for name, _, state in containers(core)}
    killed, deadline, failed, rounds = ended_for_memory(), time.monotonic() + 60 * minutes, 0, 0
    while time.monotonic() < deadline:
        began, rounds = time.monotonic(), rounds + 1
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *TEST],
            env={**os.environ, "SEATRIAL_LAB_REUSE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        failed += done.returncode != 0
        said = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr.strip()[-200:]
        print(f"round {rounds}: {time.monotonic() - began:4.0f} s, {in_use_mib()} MiB in use: {said}", flush=True)
        if done.returncode:
            print(done.stdout, flush=True)
    again = [name for name, _, state in containers(core) if state.restart_count > before.get(name, 0)]
    killed = ended_for_memory() - killed
    print(f"{rounds} rounds, {failed} failed; {killed} processes ended for want of memory")
    print(f"started again: {', '.join(again) or 'nothing'}")
    for name, container, state in sorted(containers(core), key=lambda one: one[0]):
        holds, asks = held(state.container_id), requested(container)
        if holds is not None and holds > asks:
            print(f"{name} holds {holds // MIB} MiB and asks for {asks // MIB}")
    return 1 if failed or again or killed else 0


if __name__ == "__main__":
    sys.exit(main())
