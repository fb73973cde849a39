"""The processes of a container as its own /proc shows them, read with nothing but a POSIX shell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seatrial.clients.looking import Malformed
from seatrial.model.errors import Unreachable

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

INIT = 1
STOPPED = ("T", "t")
_DEAD = ("Z", "X")

# /proc/PID/stat: pid (comm) state ppid ... starttime is the 22nd field, the 20th after the closing parenthesis. A
# command may hold blanks and parentheses, hence the cut at the last one.
_LIST = r"""
for file in /proc/[0-9]*/stat; do
  line=
  { IFS= read -r line < "$file"; } 2>/dev/null
  [ -n "$line" ] || continue
  pid=${line%% *}; name=${line#*\(}; name=${name%\)*}; rest=${line##*\) }
  set -f; set -- $rest; set +f
  echo "$pid $2 $1 ${20} $name"
done
"""
_SIGNAL = 'signal=$1; shift; for pid in "$@"; do kill -s "$signal" "$pid" 2>/dev/null; done; true'


@dataclass(frozen=True, slots=True)
class Process:
    """One process: ids are those inside its container; ``started`` is in clock ticks since the machine's boot."""

    pid: int
    parent: int
    state: str
    started: int
    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """One container of one pod."""

    namespace: str
    pod: str
    container: str


def parse(text: str) -> tuple[Process, ...]:
    """Return the processes in the listing; raises ``Malformed`` for anything else."""
    found: list[Process] = []
    for line in text.splitlines():
        parts = line.split(" ", 4)
        if len(parts) != 5 or not all(part.isdigit() for part in (parts[0], parts[1], parts[3])):
            raise Malformed(f"not a process: {line[:80]!r}")
        found.append(Process(int(parts[0]), int(parts[1]), parts[2], int(parts[3]), parts[4]))
    return tuple(sorted(found, key=lambda process: (process.started, process.pid)))


def descendants(processes: Iterable[Process]) -> tuple[Process, ...]:
    """Return the living processes below the container's init, oldest first.

    What is run by exec from outside has no parent inside (0), so the harness's own shell and the platform's probes
    are not among them.
    """
    alive = [process for process in processes if process.state not in _DEAD]
    below = {INIT}
    grown = True
    while grown:
        more = {process.pid for process in alive if process.parent in below} - below
        grown = bool(more)
        below |= more
    return tuple(process for process in alive if process.pid in below and process.pid != INIT)


def main_process(processes: Sequence[Process]) -> Process | None:
    """Return the daemon: the oldest child of the container's init; None when the daemon itself is process 1."""
    children = [process for process in descendants(processes) if process.parent == INIT]
    return min(children, key=lambda process: (process.started, process.pid), default=None)


def listing(deployment: Deployment, place: Place) -> tuple[Process, ...]:
    """Read all processes of a container."""
    answer = deployment.kube.exec(
        place.pod, ["/bin/sh", "-c", _LIST], namespace=place.namespace, container=place.container
    )
    if answer.status != 0:
        raise Unreachable(f"could not list the processes of {place.namespace}/{place.pod}: {answer.stderr[:200]}")
    return parse(answer.stdout)


def send(deployment: Deployment, place: Place, signal: str, pids: Iterable[int]) -> None:
    """Send a signal (``STOP``, ``CONT``, ``KILL``) to processes of a container; one that is gone is no error."""
    argv = ["/bin/sh", "-c", _SIGNAL, "sh", signal, *(str(pid) for pid in pids)]
    answer = deployment.kube.exec(place.pod, argv, namespace=place.namespace, container=place.container)
    if answer.status != 0:
        raise Unreachable(f"could not send {signal} in {place.namespace}/{place.pod}: {answer.stderr[:200]}")
