"""The script that finds and signals processes, run by real shells on real processes in a PID namespace of their own."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from seatrial.clients.kube_exec import ExecResult
from seatrial.faults import proc, proof
from seatrial.faults.process import KillProcess, PauseProcess
from seatrial.model.errors import BadInput, Unreachable
from seatrial.model.fault import Injection, Pick, Selector
from seatrial.waiting import poll
from tests.unit.containers import Containers, Deployment

ONE = Selector("galera", Pick.NAMED, "openstack-galera-0")
PLACE = proc.Place("openstack", "openstack-galera-0", "galera")
OWN = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
JOIN = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
SHELLS = [shell for shell in ("/bin/dash", "/bin/bash", "/bin/busybox sh") if Path(shell.split()[0]).exists()]
PYTHON = [sys.executable, "-ESc"]
INITS = ["sh", *(init for init in ("catatonit", "dumb-init", "tini") if shutil.which(init))]

SERVER = (
    "import os, signal; [os.fork() or signal.pause() for _ in range(2)]; print('ready', flush=True); signal.pause()"
)
"""Two workers below it."""
HELD = """\
import os, signal
if not os.fork():
    os.kill(os.getpid(), signal.SIGSTOP)
    signal.pause()
os.waitpid(-1, os.WUNTRACED)
"""
"""Has a child that was stopped before anybody came."""
RESTLESS = """\
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print('ready', flush=True)
while True:
    time.sleep(0.001)
    if not os.fork():
        for _ in range(3):
            if not os.fork():
                os._exit(0)
        os._exit(0)
"""
"""Has always just started somebody."""
NAMED = "import ctypes; ctypes.CDLL(None).prctl(15, b'a) S 1\\\\c\\nb', 0, 0, 0); " + SERVER


def _permitted() -> bool:
    try:
        argv = ["unshare", *OWN, "--pid", "--fork", "--mount-proc", "true"]
        done = subprocess.run(argv, check=False, capture_output=True)
    except FileNotFoundError:
        return False
    return done.returncode == 0


pytestmark = pytest.mark.skipif(not _permitted(), reason="this machine permits no PID namespace of one's own (unshare)")


@dataclass(slots=True)
class Space:
    """A PID namespace with an init and what it runs: as a container has one."""

    outside: subprocess.Popen[str]
    pid: int
    """Of its process 1, seen from outside."""

    @classmethod
    def start(cls, argv: Sequence[str]) -> Space:
        unshare = ["unshare", *OWN, "--pid", "--fork", "--mount-proc", "--kill-child", *argv]
        outside = subprocess.Popen(unshare, stdout=subprocess.PIPE, text=True)
        assert outside.stdout is not None
        assert outside.stdout.readline() == "ready\n"
        children = Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text(encoding="ascii")
        return cls(outside, int(children))

    def run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as exec does: without a parent in there, and here without a single program on PATH."""
        nsenter = str(shutil.which("nsenter"))
        enter = [nsenter, *JOIN, "--target", str(self.pid), "--pid", "--mount", "--"]
        return subprocess.run([*enter, *argv], check=False, capture_output=True, text=True, env={"PATH": "/nowhere"})

    def end(self) -> None:
        if self.outside.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self.outside.communicate()


class Real(Containers):
    """A platform of one pod whose containers are real."""

    def __init__(self, argv: Sequence[str], shell: str) -> None:
        super().__init__()
        self.shell = shell.split()
        self.spaces: dict[str, Space] = {}
        self.run(argv)

    def run(self, argv: Sequence[str]) -> None:
        """Let these programs be the container that runs now."""
        self.spaces[self.box().id] = Space.start(argv)

    @property
    def space(self) -> Space:
        return self.spaces[self.box().id]

    def get(self, kind: str, name: str, *, namespace: str | None = None) -> dict[str, Any] | None:
        self.box().running = self.space.outside.poll() is None
        return super().get(kind, name, namespace=namespace)

    def exec(
        self, pod: str, argv: Sequence[str], *, namespace: str, container: str | None = None, **_: Any
    ) -> ExecResult:
        assert argv[0] == "/bin/sh"
        self.between("exec")
        done = self.space.run([*self.shell, *argv[1:]])
        if done.returncode < 0 or self.space.outside.poll() is not None:
            raise Unreachable("exec broke off without a status")
        return ExecResult(done.stdout, done.stderr, done.returncode)

    def stopped(self) -> list[tuple[int, int]]:
        """Return who is in state T."""
        seen = proc.look(Deployment(self), PLACE)  # type: ignore[arg-type]
        return [process.identity for process in proc.descendants(seen) if process.state == "T"]

    def taken_back(self, fault: KillProcess | PauseProcess, injection: Injection) -> bool:
        """Undo until it is gone, as the engine does."""
        deployment: Any = Deployment(self)

        def attempt() -> bool:
            fault.undo(deployment, injection, 0.0)
            return fault.gone(deployment, injection).so

        return poll(attempt, bool, within_s=5, every_s=0.01).met


Started = Callable[[Sequence[str]], Real]


@pytest.fixture
def shell() -> str:
    """Return what runs the script: what the machine calls sh, unless a test tries several."""
    return "/bin/sh"


@pytest.fixture
def started(shell: str) -> Iterator[Started]:
    """Start a platform whose script is run by this shell; all of it ends with the test."""
    made: list[Real] = []

    def start(argv: Sequence[str]) -> Real:
        made.append(Real(argv, shell))
        return made[-1]

    yield start
    for one in made:
        for space in one.spaces.values():
            space.end()


def below_a_shell(program: str, before: str = "") -> list[str]:
    """Return a container whose process 1 is a shell that ends with the one program that it has started."""
    return ["/bin/sh", "-c", f'{before}"$@" & wait "$!"', "start.sh", *PYTHON, program]


@pytest.mark.parametrize("shell", SHELLS)
def test_it_tells_who_is_there_with_nothing_but_a_shell(started: Started) -> None:
    """Start times are the kernel's; what came in by exec is not below init; a shell as process 1 is known as one."""
    platform = started(below_a_shell(SERVER))
    seen = proc.look(Deployment(platform), PLACE)  # type: ignore[arg-type]
    told = Path(f"/proc/{platform.space.pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    assert seen.init_started == int(told[19])
    assert seen.init_is_shell
    daemon = proc.daemon(seen)
    assert isinstance(daemon, proc.Process)
    assert [(process.parent, process.alive) for process in proc.descendants(seen)] == [
        (1, True),
        (daemon.pid, True),
        (daemon.pid, True),
    ]
    assert any(process.parent == 0 and process.pid != proc.INIT for process in seen.processes)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_name_may_hold_anything(started: Started) -> None:
    """A closing parenthesis, a backslash, a line end: it is found, compared and signalled all the same."""
    platform = started(below_a_shell(NAMED))
    deployment: Any = Deployment(platform)
    seen = proc.look(deployment, PLACE)
    daemon = proc.daemon(seen)
    assert isinstance(daemon, proc.Process)
    assert daemon.name == "a) S 1\\c b"
    seen = proc.send(deployment, PLACE, "STOP", [daemon], after=seen)
    assert seen.refused == ()
    assert frozen(platform, daemon)


def frozen(platform: Real, process: proc.Process) -> bool:
    """Tell whether a process comes to rest: the kernel stops it a moment after the signal."""

    def state() -> str:
        found = proc.look(Deployment(platform), PLACE)[process.identity]  # type: ignore[arg-type]
        return found.state if found else ""

    return poll(state, lambda seen: seen == "T", within_s=5, every_s=0.01).met


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("what", ["start of process 1", "start", "name", "number"])
def test_only_who_was_meant_gets_a_signal(started: Started, what: str) -> None:
    """Anything that is not as it was told is refused; the rest of the list is served."""
    platform = started(below_a_shell(SERVER))
    deployment: Any = Deployment(platform)
    seen = proc.look(deployment, PLACE)
    daemon, worker, other = proc.descendants(seen)
    wrong = {
        "start": proc.Process(daemon.pid, 1, "S", daemon.started + 1, daemon.name),
        "name": proc.Process(daemon.pid, 1, "S", daemon.started, "another"),
        "number": proc.Process(9999, 1, "S", daemon.started, daemon.name),
    }
    if what == "start of process 1":
        another = replace(seen, init_started=seen.init_started + 1)
        with pytest.raises(proc.NotTheSame, match="no signal was sent"):
            proc.send(deployment, PLACE, "KILL", [worker, daemon], after=another)
    else:
        seen = proc.send(deployment, PLACE, "KILL", [wrong[what], worker], after=seen)
        assert [refused.split(" (pid ")[0] for refused in seen.refused] == [wrong[what].name]
    seen = proc.look(deployment, PLACE)
    assert seen[daemon.identity] is not None
    assert seen[other.identity] is not None
    assert (seen[worker.identity] is not None) == (what == "start of process 1")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_command_that_comes_after_it_was_given_up_does_nothing(started: Started) -> None:
    """Nobody would continue what it freezes: who sent it has taken everything back by then."""
    platform = started(below_a_shell(SERVER))
    deployment: Any = Deployment(platform)
    seen = proc.look(deployment, PLACE)
    uptime_s = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    assert 0 <= uptime_s - seen.uptime_s < 60
    long_ago = replace(seen, uptime_s=seen.uptime_s - 31)
    with pytest.raises(proc.TooLate, match="no signal was sent"):
        proc.send(deployment, PLACE, "STOP", proc.descendants(seen), after=long_ago)
    assert platform.stopped() == []


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("program", [SERVER, RESTLESS], ids=["still", "restless"])
def test_a_freeze_reaches_everybody_and_is_taken_back(started: Started, program: str) -> None:
    """Also what is born while it goes on; what its owner had stopped before stays as it is."""
    platform = started(below_a_shell(HELD + program))
    deployment: Any = Deployment(platform)
    fault = PauseProcess(ONE)
    injection = fault.prepare(deployment, platform.inventory(), 1)
    [target] = proof.entries(injection.recipe, "processes")
    held = platform.stopped()
    assert [list(one) for one in held] == target["stopped"]
    assert len(held) == 1
    fault.inject(deployment, injection)
    look = poll(lambda: fault.holds(deployment, injection), lambda seen: seen.so, within_s=5, every_s=0.01).value
    assert look.so, look.proof
    assert {one["state"] for one in look.proof["containers"][0]["processes"]} == {"T"}  # type: ignore[index]
    assert platform.taken_back(fault, injection)
    assert platform.stopped() == held


def test_a_person_takes_a_freeze_back_with_the_line_that_is_told(started: Started) -> None:
    """It needs no process number, for nobody writes down the workers' ones."""
    platform = started(below_a_shell(HELD + SERVER))
    deployment: Any = Deployment(platform)
    fault = PauseProcess(ONE)
    injection = fault.prepare(deployment, platform.inventory(), 1)
    held = platform.stopped()
    fault.inject(deployment, injection)
    [line] = injection.by_hand
    place, _, command = line.partition(" -- ")
    assert place == "kubectl exec -n openstack openstack-galera-0 -c galera"
    assert platform.space.run(shlex.split(command)).returncode == 0
    assert poll(platform.stopped, lambda seen: seen == held, within_s=5, every_s=0.01).met


@pytest.mark.parametrize("init", INITS)
def test_a_killed_daemon_ends_its_container_and_nobody_else_s(started: Started, init: str) -> None:
    """Held when the container has ended, gone when another runs in its place."""
    argv = below_a_shell(SERVER) if init == "sh" else [init, "--", *PYTHON, SERVER]
    platform = started(argv)
    deployment: Any = Deployment(platform)
    fault = KillProcess(ONE)
    injection = fault.prepare(deployment, platform.inventory(), 1)
    assert not fault.holds(deployment, injection).so
    assert fault.gone(deployment, injection).so
    fault.inject(deployment, injection)
    platform.space.outside.wait(5)
    assert fault.holds(deployment, injection).so
    assert not fault.gone(deployment, injection).so
    platform.restart()
    platform.run(argv)
    assert fault.holds(deployment, injection).so
    assert fault.gone(deployment, injection).so
    again = proc.daemon(proc.look(deployment, PLACE))
    assert isinstance(again, proc.Process)
    assert again.alive


@pytest.mark.parametrize("fault", [KillProcess(ONE), PauseProcess(ONE)], ids=lambda fault: fault.kind)
def test_a_container_that_took_the_prepared_one_s_place_hears_of_nothing(
    started: Started, fault: KillProcess | PauseProcess
) -> None:
    """The platform still shows the old one, and the numbers in the new one are the same."""
    platform = started(below_a_shell(SERVER))
    deployment: Any = Deployment(platform)
    injection = fault.prepare(deployment, platform.inventory(), 1)
    platform.lag()
    platform.restart()
    platform.run(below_a_shell(SERVER))
    before = proc.look(deployment, PLACE)
    with pytest.raises(proc.NotTheSame, match="no signal was sent"):
        fault.inject(deployment, injection)
    assert not isinstance(fault, PauseProcess) or not fault.holds(deployment, injection).so
    platform.seen = None
    assert platform.taken_back(fault, injection)
    after = proc.look(deployment, PLACE)
    assert [p.identity for p in proc.descendants(after)] == [p.identity for p in proc.descendants(before)]
    assert platform.stopped() == []


@pytest.mark.parametrize("fault", [KillProcess(ONE), PauseProcess(ONE)], ids=lambda fault: fault.kind)
def test_a_daemon_that_is_process_one_is_refused_with_what_to_do_instead(
    started: Started, fault: KillProcess | PauseProcess
) -> None:
    """Its children are workers: they would die, and the container live on."""
    platform = started([*PYTHON, SERVER])
    with pytest.raises(BadInput, match=r"process 1 \(python.*the fault delete_pod"):
        fault.prepare(Deployment(platform), platform.inventory(), 1)  # type: ignore[arg-type]
