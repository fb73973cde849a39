"""What each command of the lab does."""

from __future__ import annotations

import argparse
import fcntl
import getpass
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from seatrial_lab import paths, target
from seatrial_lab.build import everything
from seatrial_lab.errors import AlreadyUp, BootFailed, CannotHost, LabError, UnknownName
from seatrial_lab.host import machine, network, preflight, sweep
from seatrial_lab.platform.apply import Kubectl
from seatrial_lab.platform.boot import Boot
from seatrial_lab.platform.programs import Programs
from seatrial_lab.progress import Progress
from seatrial_lab.releases import RELEASES, Release
from seatrial_lab.topology import SIZES, TOPOLOGY, Topology


def run(asked: argparse.Namespace) -> int:
    """Run the command that was asked for and return its exit status."""
    verbs = {
        "build": build,
        "up": up,
        "status": status,
        "target": print_target,
        "shell": shell,
        "node": node,
        "cable": cable,
        "break": break_or_mend,
        "mend": break_or_mend,
        "down": down,
    }
    return verbs[asked.verb](asked)


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lab's lock, so that two commands never change it at once."""
    lock = Path("/run/lock/seatrial-lab") if os.access("/run/lock", os.W_OK) else Path("/tmp/seatrial-lab.lock")  # noqa: S108
    if os.geteuid() != 0:
        msg = "only root can change the lab; run the same command as root"
        raise LabError(msg)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"another seatrial-lab command is at work on the lab ({_whose()})"
            raise AlreadyUp(msg) from None
        yield


def _whose() -> str:
    """Describe the lab that stands here."""
    try:
        said = json.loads((paths.state() / "lab.json").read_text())
    except (OSError, ValueError):
        return "no record of whose"
    return f"brought up {said['since']} by {said['user']} from {said['folder']}"


def _check(size: str, release: Release) -> None:
    stands = paths.state().exists()
    lacks = preflight.lacks(TOPOLOGY, SIZES[size], built=everything.is_complete(release), stands=stands)
    if lacks:
        raise CannotHost(lacks)


def build(asked: argparse.Namespace) -> int:
    """Make everything that a boot needs."""
    release = RELEASES[asked.release]
    if not everything.is_complete(release):
        _check("core", release)
        everything.build(Progress("build"), release)
    return 0


def up(asked: argparse.Namespace) -> int:
    """Bring the lab up, or leave nothing."""
    release = RELEASES[asked.release]
    if os.geteuid() != 0:
        _check(asked.size, release)
    with _alone():
        state = paths.state()
        if state.exists():
            msg = f"a lab is up already ({_whose()}); end it with: seatrial-lab down"
            raise AlreadyUp(msg)
        _check(asked.size, release)
        if not everything.is_complete(release):
            everything.build(Progress("build"), release)
        progress = Progress("up")
        size = SIZES[asked.size]
        boot = Boot(state, size.plan, Programs.of_cache(release), size, progress.step)
        try:
            _begin(state, asked)
            boot.run(kubernetes_only=asked.kubernetes_only)
            if not asked.kubernetes_only:
                target.write(state, boot.kubectl)
        except BaseException as error:
            if isinstance(error, BootFailed) and os.environ.get("SEATRIAL_LAB_KEEP"):
                raise  # for whoever wants to look at what went wrong
            progress.step("taking it down again")
            sweep.sweep(state, TOPOLOGY)
            raise
        (state / "ready").touch()
        progress.done(f"lab {asked.size} with OpenStack {asked.release} is up")
    print(f"""\
  look:   seatrial-lab status
  use:    export KUBECONFIG={state}/admin.kubeconfig OS_CLIENT_CONFIG_FILE={state}/clouds.yaml OS_CLOUD=seatrial-lab
          {Programs.of_cache().binaries}/kubectl get pods -A
  try it: seatrial run conformance --target {state}/target.yaml
  break:  seatrial-lab break            (lists what can be broken)
  end:    seatrial-lab down""")
    return 0


def _begin(state: Path, asked: argparse.Namespace) -> None:
    for folder in ("log", "pids", "units"):
        (state / folder).mkdir(parents=True)
    state.chmod(0o700)
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    record = {"user": getpass.getuser(), "folder": str(Path.cwd()), "since": since, "pid": os.getpid()}
    record |= {"size": asked.size, "release": asked.release}
    (state / "lab.json").write_text(json.dumps(record))


def down(asked: argparse.Namespace) -> int:
    """End everything and remove every trace."""
    with _alone():
        progress = Progress("down")
        if not sweep.leftovers(paths.state(), TOPOLOGY):
            progress.done("no lab is up; nothing to remove")
            return 0
        sweep.sweep(paths.state(), TOPOLOGY)
        progress.done("nothing of the lab is left")
    return 0


def _kubectl() -> Kubectl:
    if not (paths.state() / "admin.kubeconfig").exists():
        msg = "no lab is up; bring one up with: seatrial-lab up"
        raise LabError(msg)
    return Kubectl(Programs.of_cache().binaries / "kubectl", paths.state() / "admin.kubeconfig")


def status(asked: argparse.Namespace) -> int:
    """Print what is up; exit status 0 when the whole cloud is ready, 1 when it is not."""
    kubectl = _kubectl()
    print(f"lab {_whose()}")
    print(kubectl.run("get", "nodes"))
    print(kubectl.run("get", "pods", "-A", "-o", "wide"))
    dead = [file.name for file in (paths.state() / "pids").glob("[!.]*") if int(file.read_text().split()[1]) > 0]
    if dead:
        print(f"restarted since boot: {', '.join(sorted(dead))}")
    planes = kubectl.get("openstackcontrolplane", "-n", "openstack")["items"]
    ready = [c for plane in planes for c in plane.get("status", {}).get("conditions", []) if c["type"] == "Ready"]
    for condition in ready:
        print(f"cloud ready: {condition['status']} ({condition.get('message', '')})")
    return 0 if ready and all(c["status"] == "True" for c in ready) else 1


def print_target(asked: argparse.Namespace) -> int:
    """Print the target document."""
    _kubectl()
    file = paths.state() / "target.yaml"
    if not file.exists():
        raise UnknownName("the lab has no target: it did not come up to its end")
    print(file if asked.file else file.read_text().rstrip())
    return 0


def shell(asked: argparse.Namespace) -> int:
    """Open a shell in a pod (by name, in any namespace), inside a compute node, or in a machine's network."""
    plan = _plan()
    computes = {compute.name: compute for compute in plan.computes}
    if asked.name in computes:
        inside = [*machine.entered(paths.state(), computes[asked.name]), *(asked.command or ["/bin/bash"])]
        return subprocess.run(inside, check=False).returncode
    spaces = {"fabric": plan.fabric, **{machine.name: machine.namespace for machine in plan.machines}}
    if asked.name in spaces:
        space = network.NAMESPACES / spaces[asked.name]
        command = asked.command or [os.environ.get("SHELL", "/bin/sh")]
        return subprocess.run(["nsenter", f"--net={space}", "--", *command], check=False).returncode
    kubectl = _kubectl()
    pods = kubectl.get("pods", "-A")["items"]
    found = [pod["metadata"] for pod in pods if pod["metadata"]["name"] == asked.name]
    if not found:
        known = [*spaces, *(pod["metadata"]["name"] for pod in pods)]
        msg = f"no pod and no machine {asked.name!r}; there are: {', '.join(sorted(known))}"
        raise UnknownName(msg)
    tty = ["-t"] if sys.stdin.isatty() else []
    where = ["-n", found[0]["namespace"], asked.name]
    argv = [*kubectl.argv, "exec", "-i", *tty, *where, "--", *(asked.command or ["/bin/sh"])]
    return subprocess.run(argv, check=False).returncode


def _plan() -> Topology:
    """Return the plan of the lab that is up."""
    _kubectl()
    return SIZES[json.loads((paths.state() / "lab.json").read_text())["size"]].plan


T = TypeVar("T")


def _named(what: str, name: str, known: dict[str, T]) -> T:
    if name not in known:
        msg = f"no {what} {name!r}; there are: {', '.join(known) or 'none in a lab of this size'}"
        raise UnknownName(msg)
    return known[name]


def node(asked: argparse.Namespace) -> int:
    """Switch a compute node off or on, or start it again."""
    compute = _named("compute node", asked.name, {compute.name: compute for compute in _plan().computes})
    verbs = {"off": machine.off, "on": machine.on, "reboot": machine.reboot, "reset": machine.reset}
    verbs[asked.what](paths.state(), compute)
    return 0


def cable(asked: argparse.Namespace) -> int:
    """Pull a machine's cable to a network, or plug it in again."""
    plan = _plan()
    end = _named("machine", asked.name, {each.name: each for each in plan.machines})
    cabled = plan.networks if end != plan.control else plan.networks[:1]
    to = _named(f"network of {end.name}", asked.network, {each.name: each for each in cabled})
    network.cable(plan, end, to, plugged=asked.what == "plug")
    return 0


def break_or_mend(asked: argparse.Namespace) -> int:
    """Put a deviation in, or take it back; without a name, list them."""
    from seatrial_lab import violations  # noqa: PLC0415 (keeps `down` independent of what it undoes)

    if asked.name is None:
        for name, violation in sorted(violations.ALL.items()):
            print(f"{name:24} breaks {violation.breaks:8} {violation.says}")
        return 0
    violation = violations.named(asked.name)
    started = time.monotonic()
    (violation.apply if asked.verb == "break" else violation.revert)(_kubectl())
    print(f"{asked.verb}: {asked.name} ({time.monotonic() - started:.1f} s)")
    return 0
