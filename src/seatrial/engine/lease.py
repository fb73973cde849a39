"""One trial at a time, seen and stoppable: a Lease ``seatrial`` in the control plane's namespace.

It is held while a trial may change the deployment, renewed by a thread, and looked at every second: an annotation
``seatrial/stop``, or a Lease that has vanished, asks for an orderly end. A platform that does not answer ends nothing.
A trial never takes another's Lease, not even a dead one's: what its holder left is taken back first, by the undo of
that run, which takes the Lease over and removes it.
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Any

from seatrial import waiting
from seatrial.clients.kube import Kube, Manifest, Rejected
from seatrial.engine import ending
from seatrial.model.errors import BadInput, NotPermitted, Problem, SeatrialError, Unreachable

KIND, NAME = "Lease", "seatrial"
DURATION_S = 30
RENEW_S = 5.0
LOOK_S = 1.0
SKEW_S = 60.0
"""Clocks of two machines that are kept at all differ by less; only beyond it a time written by another means death."""
STOP = "seatrial/stop"
"""Annotation that asks the trial to end; its value says who asks."""
_TOKEN, _RUN, _HOST, _SUITE, _SINCE, _OPEN, _LEFT = (
    f"seatrial/{word}" for word in ("token", "run", "host", "suite", "since", "open", "left")
)
_PROCESS = "seatrial/process"
_MOST_OPEN = 20
_AGAIN = 5


@dataclass(frozen=True, slots=True)
class Clock:
    """The time, in both senses, and the passing of it."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = monotonic
    pause: Callable[[float], None] = waiting.pause


REAL = Clock()


@dataclass(frozen=True, slots=True)
class Holder:
    """What a Lease says: whose it is, of which run, since when, and what that run has open."""

    who: str
    run: str
    host: str
    suite: str
    since: str
    renewed: datetime | None
    stop: str | None
    """Who has asked it to end."""
    left: bool
    """It has ended, and not everything was taken back."""
    open: tuple[str, ...]
    lives: bool | None
    """Whether its process lives, where that can be seen from here."""

    def told(self) -> str:
        """Return who holds it, in a few words for a person."""
        return f"{self.who}, run {self.run} (suite {self.suite}), since {self.since}"

    def silent_s(self, now: datetime) -> float | None:
        """Return for how long it has not been renewed, by our clock; None when it does not say."""
        return None if self.renewed is None else (now - self.renewed).total_seconds()

    def seems_over(self, now: datetime) -> bool:
        """Tell whether it has ended, or died, as far as one look can tell; ``is_dead`` watches where that can't."""
        if self.left or self.lives is not None:
            return self.left or not self.lives
        silent_s = self.silent_s(now)
        return silent_s is None or silent_s > DURATION_S + SKEW_S


def ourselves() -> str:
    """Return who asks: ``user@host``."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as containers have
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def read(kube: Kube, namespace: str) -> Holder | None:
    """Return who holds the deployment now, or None when nobody does."""
    found = kube.get(KIND, NAME, namespace=namespace)
    return None if found is None else holder_of(found)


def holder_of(lease: Manifest) -> Holder:
    """Return what a Lease says; what it does not say is empty."""
    spec, notes = lease.get("spec") or {}, _notes(lease)
    listed = notes.get(_OPEN, "")
    return Holder(
        who=str(spec.get("holderIdentity") or "somebody"),
        run=notes.get(_RUN, "unknown"),
        host=notes.get(_HOST, "unknown"),
        suite=notes.get(_SUITE, "unknown"),
        since=notes.get(_SINCE, "unknown"),
        renewed=_time(spec.get("renewTime")),
        stop=notes.get(STOP),
        left=_LEFT in notes,
        open=tuple(listed.splitlines()),
        lives=_lives(notes.get(_PROCESS, "")),
    )


def ask_to_stop(kube: Kube, namespace: str) -> None:
    """Ask the trial that holds the Lease to end; raises Rejected when there is none any more."""
    kube.patch(KIND, NAME, {"metadata": {"annotations": {STOP: ourselves()}}}, namespace=namespace)


def is_dead(kube: Kube, namespace: str, lease: Manifest, clock: Clock = REAL) -> bool:
    """Tell whether the holder of this Lease has died.

    Of a process on this machine that is seen at once. Elsewhere, its time of renewal was written by another machine's
    clock, so by itself it proves death only when it is past by more than the Lease's length and what clocks may differ
    by. Else it is watched: one that does not change for as long as it says that it lasts is dead, one that does lives.
    """
    lives = _lives(_notes(lease).get(_PROCESS, ""))
    if _LEFT in _notes(lease):
        return True
    if lives is not None:
        return not lives
    spec = lease.get("spec") or {}
    lasts_s = float(spec.get("leaseDurationSeconds") or DURATION_S)
    silent_s = holder_of(lease).silent_s(clock.now())
    if silent_s is None or silent_s > lasts_s + SKEW_S:
        return True
    began = clock.monotonic()
    while clock.monotonic() - began < lasts_s:
        clock.pause(LOOK_S)
        with suppress(SeatrialError):
            now = kube.get(KIND, NAME, namespace=namespace)
            if now is None or (now.get("spec") or {}).get("renewTime") != spec.get("renewTime"):
                return False
    return True


def give_back(kube: Kube, namespace: str, run: str) -> None:
    """Remove the Lease of a run that has died and has left nothing, if it is still there."""
    found = kube.get(KIND, NAME, namespace=namespace)
    if found is not None and holder_of(found).run == run and is_dead(kube, namespace, found):
        kube.delete(KIND, NAME, namespace=namespace, uid=str(found["metadata"]["uid"]))


class Lease:
    """The right to change one deployment, as long as one trial or undo has it."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        *,
        run: str,
        suite: str,
        still_open: Callable[[], Sequence[str]] = tuple,
        ask: Callable[[str], None] = ending.ask,
        clock: Clock = REAL,
    ) -> None:
        """``ask``: asks the trial for an orderly end. ``still_open``: what it has in the deployment, for who looks."""
        self._kube = kube
        self._namespace = namespace
        self._run, self._suite = run, suite
        self._still_open = still_open
        self._ask = ask
        self._clock = clock
        self._token = uuid.uuid4().hex
        self._held: Manifest | None = None
        self._renewed = 0.0
        self._asked = False
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self) -> None:
        """Take the Lease for a trial, and keep it from now on.

        Raises BadInput when another holds it, saying whose it is and since when, or that its holder has died and what
        takes back what it left; NotPermitted or Unreachable when the platform does not let us have one.
        """
        for _ in range(_AGAIN):
            found = self._kube.get(KIND, NAME, namespace=self._namespace)
            if found is not None:
                self._refuse(found)
                continue  # it was released while it was looked at
            if self._create():
                return
        raise Unreachable(f"the Lease {NAME!r} in {self._namespace} comes and goes: it could not be had")

    def acquire_for_undo(self) -> None:
        """Take the Lease for taking back what its run left: also from that run, when it has died.

        Raises BadInput when a trial that lives holds it. A platform that does not let us have one keeps nobody from
        undoing: it is then done without.
        """
        with suppress(NotPermitted, Unreachable):
            for _ in range(_AGAIN):
                found = self._kube.get(KIND, NAME, namespace=self._namespace)
                if found is None:
                    if self._create():
                        return
                elif not is_dead(self._kube, self._namespace, found, self._clock):
                    now = self._kube.get(KIND, NAME, namespace=self._namespace)
                    if now is not None:
                        raise BadInput([_held_by(holder_of(now))])
                elif holder_of(found).run != self._run or self._replace(found, taken_over=True):
                    # A dead one of another run is that run's affair: it keeps trials away until it is undone too.
                    return

    def beat(self) -> None:
        """Look at the Lease once, and renew it when it is time; never raises."""
        try:
            found = self._kube.get(KIND, NAME, namespace=self._namespace)
        except SeatrialError:
            return  # away for a while: nobody takes it from us meanwhile
        if found is None:
            self._end(f"the Lease {NAME!r} was deleted")
            return
        if not self._is_ours(found):
            self._end(f"the Lease {NAME!r} was taken over by {holder_of(found).told()}")
            return
        stop = _notes(found).get(STOP)
        if stop is not None:
            self._end(f"stopped by {stop or 'an annotation'}")
        if self._clock.monotonic() - self._renewed >= RENEW_S:
            with suppress(SeatrialError):
                self._replace(found)

    def release(self, *, whole: bool) -> None:
        """Give the Lease back; when something is left behind, leave it to say so. Never raises.

        One that can't be removed now runs out by itself, and the undo of its run removes it.
        """
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=DURATION_S)
        if self._held is None:
            return
        for _ in range(_AGAIN):
            with suppress(SeatrialError):
                found = self._kube.get(KIND, NAME, namespace=self._namespace)
                if found is None or not self._is_ours(found):
                    return
                if whole:
                    self._kube.delete(KIND, NAME, namespace=self._namespace, uid=str(found["metadata"]["uid"]))
                    return
                if self._replace(found, left=True):
                    return
            self._clock.pause(LOOK_S)

    @property
    def held(self) -> bool:
        """Tell whether we have had it, as far as we know."""
        return self._held is not None

    def _refuse(self, found: Manifest) -> None:
        """Raise why another's Lease keeps us away; return when it is gone by now."""
        dead = is_dead(self._kube, self._namespace, found, self._clock)
        now = self._kube.get(KIND, NAME, namespace=self._namespace)
        if now is None:
            return
        holder = holder_of(now)
        raise BadInput([_left_by(holder, self._namespace) if dead else _held_by(holder)])

    def _create(self) -> bool:
        try:
            self._held = self._kube.create(self._manifest({}))
        except Rejected as refused:
            if refused.status == HTTPStatus.CONFLICT:
                return False
            raise
        self._keep()
        return True

    def _replace(self, found: Manifest, *, left: bool = False, taken_over: bool = False) -> bool:
        """Write it anew if nobody changed it since it was read; tell whether that was so."""
        try:
            self._held = self._kube.replace(self._manifest(found, left=left, taken_over=taken_over))
        except Rejected as refused:
            if refused.status in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND):
                return False
            raise
        self._renewed = self._clock.monotonic()
        if taken_over:
            self._keep()
        return True

    def _manifest(self, found: Manifest, *, left: bool = False, taken_over: bool = False) -> Manifest:
        now = self._clock.now()
        spec = dict(found.get("spec") or {})
        notes = {key: value for key, value in _notes(found).items() if not (taken_over and key in (STOP, _LEFT))}
        first = not found or taken_over
        own = {_TOKEN: self._token, _RUN: self._run, _SUITE: self._suite}
        own |= {_HOST: socket.gethostname(), _PROCESS: _process(os.getpid())}
        notes |= own | {_OPEN: "\n".join(list(self._still_open())[:_MOST_OPEN])}
        if first:
            notes[_SINCE] = f"{now:%Y-%m-%dT%H:%M:%SZ}"
            spec["acquireTime"] = _micro(now)
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + bool(found)
        if left:
            notes[_LEFT] = "true"
        spec |= {"holderIdentity": ourselves(), "leaseDurationSeconds": DURATION_S, "renewTime": _micro(now)}
        metadata: dict[str, Any] = {"name": NAME, "namespace": self._namespace, "annotations": notes}
        metadata["labels"] = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": NAME}
        if found:
            # With it the platform refuses what was written meanwhile by somebody else: of two, one wins.
            metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
        return {"apiVersion": "coordination.k8s.io/v1", "kind": KIND, "metadata": metadata, "spec": spec}

    def _keep(self) -> None:
        self._renewed = self._clock.monotonic()
        self._thread = threading.Thread(target=self._beat_on, name="seatrial-lease", daemon=True)
        self._thread.start()

    def _beat_on(self) -> None:
        while not self._over.wait(LOOK_S):
            self.beat()

    def _is_ours(self, found: Manifest) -> bool:
        return _notes(found).get(_TOKEN) == self._token

    def _end(self, why: str) -> None:
        if not self._asked:
            self._asked = True
            self._ask(why)


def _held_by(holder: Holder) -> Problem:
    accepted = "a deployment on which no other trial is going on (`seatrial stop --target FILE` ends that one)"
    return Problem("--target", f"a trial that is going on: {holder.told()}", accepted)


def _left_by(holder: Holder, namespace: str) -> Problem:
    accepted = (
        f"`seatrial undo` of that run first, on {holder.host}; if its folder is lost and nothing of it is left: "
        f"`kubectl -n {namespace} delete lease {NAME}`"
    )
    what = "has ended with something left behind" if holder.left else "has died"
    return Problem("--target", f"a trial that {what}: {holder.told()}", accepted)


def _notes(lease: Manifest) -> dict[str, str]:
    return dict((lease.get("metadata") or {}).get("annotations") or {})


def _micro(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


def _time(written: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(written))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _process(pid: int) -> str:
    """Return which process this is, as no other ever was: this boot, its own view of processes, number, start time."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        view = Path("/proc/self/ns/pid").readlink()
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        started = state[19]
    except (OSError, IndexError):
        return ""
    # One that has ended and that nobody has reaped lives no more.
    return "" if state[0] in ("Z", "X") else f"{boot} {view} {pid} {started}"


def _lives(process: str) -> bool | None:
    """Tell whether a process lives, or None where that can't be seen from here."""
    ours, words = _process(os.getpid()).split(), process.split()
    if len(words) != len(ours) or len(words) != 4 or words[:2] != ours[:2] or not words[2].isdecimal():
        return None
    return _process(int(words[2])) == process
