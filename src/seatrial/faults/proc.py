"""The processes of a container as its own /proc shows them, and signals to exactly those that were meant.

One script does both, with nothing but /bin/sh and /proc: it looks who process 1 is, sends the signal to the processes
that still are who they were, and tells what it sees afterwards. Between two commands a container can be replaced by
another with the same name and the same process numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from seatrial.clients.looking import Malformed
from seatrial.model.errors import Unreachable
from seatrial.model.known import cut

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

INIT = 1
_ANSWER_S = 30.0
_LATEST_S = _ANSWER_S - 1
"""A command that was given up must do nothing afterwards: what it would freeze then, nobody would continue."""
FROZEN = "T"
STOPPED = (FROZEN, "t")
"""Frozen by a signal, or by somebody who traces it: the latter is not ours, and no signal continues it."""
_DEAD = ("Z", "X")
INITS = ("catatonit", "docker-init", "dumb-init", "tini", "tini-static")
"""Programs that start one child and end when it ends: their oldest child is what the container is for."""
_SHELLS = ("ash", "bash", "dash", "sh")
_NO_SHELL = re.compile(r"/bin/sh\b.*(no such file|not found)", re.IGNORECASE | re.DOTALL)

# Arguments: the signal, when process 1 was started (empty: any), the second of /proc/uptime after which nothing is sent
# any more (empty: none), and "PID STARTED NAME" of each process to signal.
#
# /proc/PID/stat: pid (comm) state ppid ... starttime is the 22nd field, the 20th after the closing parenthesis. A
# command may hold blanks, parentheses and line ends, hence the cut at the last one and the loop. Only what a shell has
# built in is used (echo would read backslashes), and no here-document, which wants a writable /tmp.
SCRIPT = r"""
signal=$1 expected=$2 latest=$3
shift 3
tell() { printf '%s\n' "$*"; }
look() {
  line=
  { while IFS= read -r part || [ -n "$part" ]; do line="$line$part "; done < "/proc/$1/stat"; } 2>/dev/null
  [ -n "$line" ] || return 1
  name=${line#*\(}; name=${name%\)*}
  set -f; set -- ${line##*\) }; set +f
  state=$1 parent=$2 started=${20}
}
look 1 || exit 70
tell "init $started"
uptime=
IFS= read -r uptime < /proc/uptime
uptime=${uptime%% *}
tell "uptime $uptime"
for shell in /bin/sh /bin/bash /usr/bin/sh /usr/bin/bash; do
  if [ /proc/1/exe -ef "$shell" ]; then tell shell; break; fi
done
if [ -n "$latest" ] && [ "${uptime%%.*}" -gt "$latest" ]; then tell late
elif [ -z "$expected" ] || [ "$started" = "$expected" ]; then
  for target; do
    pid=${target%% *}
    if ! look "$pid" || [ "$pid $started $name" != "$target" ]; then tell "gone $target"
    elif kill -s "$signal" "$pid" 2>/dev/null; then tell "sent $target"
    else tell "failed $target"
    fi
  done
fi
for file in /proc/[0-9]*/stat; do
  pid=${file%/stat}; pid=${pid#/proc/}
  if look "$pid"; then tell "process $pid $parent $state $started $name"; fi
done
tell end
"""


class NotTheSame(Unreachable):
    """Raised when another container runs in the place of the expected one; no signal was sent."""


class TooLate(Unreachable):
    """Raised when a command reached its container so late that its signals were not sent any more."""


class NoShell(Unreachable):
    """Raised when a container's image has no /bin/sh: nothing can be looked at or signalled in there."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process: ids are those inside its container; ``started`` is in clock ticks since the machine's boot."""

    pid: int
    parent: int
    state: str
    started: int
    name: str

    @property
    def identity(self) -> tuple[int, int]:
        """Return what no other process of this container has, before or after it."""
        return self.pid, self.started

    @property
    def alive(self) -> bool:
        """Tell whether it has not ended."""
        return self.state not in _DEAD

    def __str__(self) -> str:
        """Name it for a person."""
        return f"{self.name} (pid {self.pid})"


@dataclass(frozen=True, slots=True)
class Place:
    """One container of one pod."""

    namespace: str
    pod: str
    container: str

    def __str__(self) -> str:
        """Name it for a person."""
        return f"{self.namespace}/{self.pod}, container {self.container!r}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one script saw in a container after it had sent its signals."""

    init_started: int
    init_is_shell: bool
    processes: tuple[Process, ...]
    """Oldest first."""
    refused: tuple[str, ...]
    """Why some processes were sent no signal, in words."""
    late: bool
    uptime_s: float
    """The machine's clock, which a later command is measured by."""
    answered_at: float
    """The same moment or a later one on our own (monotonic) clock."""

    def __getitem__(self, identity: tuple[int, int]) -> Process | None:
        """Return the living process with this number and start time, or None."""
        return next((p for p in self.processes if p.identity == identity and p.alive), None)


def look(deployment: Deployment, place: Place, *, init_started: int | None = None) -> Seen:
    """Read all processes of a container; raises ``NotTheSame`` when its process 1 is not the expected one."""
    return _run(deployment, place, "CONT", (), init_started=init_started, latest="")


def send(deployment: Deployment, place: Place, signal: str, processes: Iterable[Process], *, after: Seen) -> Seen:
    """Send ``STOP``, ``CONT`` or ``KILL`` to processes that still are who they were, and tell what is seen then.

    ``after``: what was seen of the same container before; raises ``NotTheSame`` when it is another one, ``TooLate``, or
    ``Unreachable`` when nobody answered: the signal may have been sent then, but will not be any more.
    """
    latest = int(after.uptime_s + monotonic() - after.answered_at + _LATEST_S)
    return _run(deployment, place, signal, processes, init_started=after.init_started, latest=str(latest))


def _run(
    deployment: Deployment,
    place: Place,
    signal: str,
    processes: Iterable[Process],
    *,
    init_started: int | None,
    latest: str,
) -> Seen:
    targets = [f"{process.pid} {process.started} {process.name}" for process in processes]
    expected = "" if init_started is None else str(init_started)
    argv = ["/bin/sh", "-c", SCRIPT, "sh", signal, expected, latest, *targets]
    answer = deployment.kube.exec(
        place.pod, argv, namespace=place.namespace, container=place.container, timeout_s=_ANSWER_S
    )
    if answer.status != 0:
        if _NO_SHELL.search(answer.stderr):
            raise NoShell(f"{place} has no /bin/sh")
        raise Unreachable(f"could not look at the processes of {place}: {cut(answer.stderr, 200)}")
    seen = parse(answer.stdout)
    if seen.late:
        raise TooLate(f"the command took too long to reach {place}; no signal was sent")
    if init_started is not None and seen.init_started != init_started:
        raise NotTheSame(
            f"{place} is another container than the one prepared: its process 1 was started at tick "
            f"{seen.init_started}, not {init_started}; no signal was sent"
        )
    return seen


def parse(text: str) -> Seen:
    """Return what the script tells; raises ``Malformed`` for anything else, and for less than all of it."""
    whole = re.fullmatch(r"init (\d+)\nuptime (\d+\.\d+)\n(.*)end\n", text, re.DOTALL)
    if whole is None:
        raise Malformed(f"not a whole list of processes: {text[:80]!r}")
    found: list[Process] = []
    refused: list[str] = []
    flags: set[str] = set()
    for line in whole[3].splitlines():
        word, _, rest = line.partition(" ")
        if word == "process":
            found.append(_process(rest))
        elif word in ("gone", "failed"):
            pid, started, name = (*rest.split(" ", 2), "", "")[:3]
            why = "is not there any more" if word == "gone" else "may not be signalled"
            refused.append(f"{name} (pid {pid}, started at tick {started}) {why}")
        elif line in ("shell", "late"):
            flags.add(line)
        elif word != "sent":
            raise Malformed(f"not a process: {line[:80]!r}")
    return Seen(
        init_started=int(whole[1]),
        init_is_shell="shell" in flags,
        processes=tuple(sorted(found, key=lambda process: (process.started, process.pid))),
        refused=tuple(refused),
        late="late" in flags,
        uptime_s=float(whole[2]),
        answered_at=monotonic(),
    )


def _process(text: str) -> Process:
    parts = text.split(" ", 4)
    if len(parts) != 5 or not all(part.isdigit() for part in (parts[0], parts[1], parts[3])):
        raise Malformed(f"not a process: {text[:80]!r}")
    return Process(int(parts[0]), int(parts[1]), parts[2], int(parts[3]), parts[4])


def below(processes: Iterable[Process], roots: Iterable[tuple[int, int]]) -> tuple[Process, ...]:
    """Return the living among these processes and all that are below them, oldest first."""
    alive = [process for process in processes if process.alive]
    wanted = set(roots)
    inside = {process.pid for process in alive if process.identity in wanted}
    grown = True
    while grown:
        more = {process.pid for process in alive if process.parent in inside} - inside
        grown = bool(more)
        inside |= more
    return tuple(process for process in alive if process.pid in inside)


def children(seen: Seen) -> tuple[Process, ...]:
    """Return the living children of the container's process 1, oldest first."""
    return tuple(process for process in seen.processes if process.parent == INIT and process.alive)


def descendants(seen: Seen) -> tuple[Process, ...]:
    """Return the living processes below the container's process 1, oldest first.

    What is run by exec from outside has no parent inside (0), so the harness's own shell and the platform's probes
    are not among them.
    """
    return below(seen.processes, [process.identity for process in children(seen)])


def daemon(seen: Seen, known: Sequence[str] = ()) -> Process | str:
    """Return the process that the container is for, or why it can't be told in words.

    An init has one child of its own, the oldest: all others came to it as orphans. A shell may have started several;
    then only one whose name is ``known`` for this container is sure. Any other process 1 is the daemon itself: its
    children are workers or helpers, and it ignores signals from inside.
    """
    first = next((process for process in seen.processes if process.pid == INIT), None)
    if first is None:
        return "no process 1"
    if first.name not in (*INITS, *_SHELLS) and not seen.init_is_shell:
        return f"a daemon that is the container's process 1 ({first.name}), which ignores these signals from inside"
    found = children(seen)
    if not found:
        return f"no process below process 1 ({first.name})"
    if len(found) == 1 or first.name in INITS:
        return found[0]
    named = [process for process in found if process.name in known]
    if len(named) == 1:
        return named[0]
    return f"several processes below the shell that is process 1 ({', '.join(str(process) for process in found)})"
