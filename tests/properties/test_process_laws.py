"""Whatever is replaced when, no process of a container that was not prepared stays frozen or dies by our hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.clients.kube_exec import ExecResult
from seatrial.faults import build, proc
from seatrial.faults.process import KillProcess, PauseProcess
from seatrial.journal.codec import decode, encode
from seatrial.model.errors import Unreachable
from seatrial.model.fault import Injection, Pick, Selector
from tests.unit.containers import Box, Containers, Deployment

ONE = Selector("galera", Pick.NAMED, "openstack-galera-0")
FAULTS = [KillProcess(ONE), PauseProcess(ONE)]
EVENTS = ("restart", "replace", "down", "lag", "catch up", "fork", "orphan", "end", "killed", "stalls", "arrives")
HAPPENS = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(EVENTS)), max_size=6)
"""Each after so many requests at which nothing happens."""


class HarnessKilled(BaseException):
    """The harness itself ends at this request."""


class Platform(Containers):
    """What happens before each request comes from a list, and nothing more when that is at its end."""

    def __init__(self, events: Sequence[str]) -> None:
        super().__init__()
        self._events: Iterator[str] = iter(events)
        self.between = self._happens
        self.boxes: list[Box] = [self.box()]
        self.stalled: list[tuple[str, Sequence[str], str | None]] = []
        """Commands that were given up, and may reach their container all the same."""

    def exec(
        self, pod: str, argv: Sequence[str], *, namespace: str, container: str | None = None, **_: Any
    ) -> ExecResult:
        if self._happens("exec") != "stalls":
            return self.inside(pod, argv, container)
        self.stalled.append((pod, argv, container))
        raise Unreachable("no answer in time")

    def arrive(self) -> None:
        """Let everything that was given up come through, later than anybody waited for it."""
        self.uptime_s += 30
        while self.stalled:
            with suppress(Unreachable):
                self.inside(*self.stalled.pop())

    def _happens(self, request: str) -> str:
        event = next(self._events, "quiet")
        box = self.box()
        if event == "killed":
            raise HarnessKilled
        if event in ("lag", "catch up", "quiet"):
            self.seen = None
            if event == "lag":
                self.lag()
        if event in ("restart", "replace") or (event == "quiet" and not box.running):
            box.running = False
            self.boxes.append(self.replace() if event == "replace" else self.restart())
        elif event == "down":
            box.running = False
        elif event in ("fork", "orphan") and box.running:
            self.add(box, "worker", parent=7 if event == "fork" else proc.INIT)
        elif event == "end" and box.running and 8 in box.processes:
            del box.processes[8]
        elif event == "arrives":
            self.arrive()
        return event


def alive(platform: Platform) -> dict[tuple[str, int, int], str]:
    """Return the state of every process that runs anywhere."""
    return {
        (box.id, pid, process.started): process.state
        for box in platform.boxes
        if box.running
        for pid, process in box.processes.items()
    }


def carry_out(platform: Platform, fault: Any, held: bool) -> Injection | None:
    """Prepare, inject, look: as far as the harness lives and the platform answers."""
    deployment: Any = Deployment(platform)
    try:
        injection = fault.prepare(deployment, platform.inventory(), 1)
    except (Unreachable, HarnessKilled):
        return None
    try:
        fault.inject(deployment, injection)
        if held:
            fault.holds(deployment, injection)
    except (Unreachable, HarnessKilled):
        pass
    return decode(Injection, encode(injection))


def take_back(platform: Platform, injection: Injection) -> bool:
    """Try until it is gone, in the words of the journal alone; the harness may be killed and started again."""
    deployment: Any = Deployment(platform)
    fault = build(injection.fault, injection.parameters)
    for _ in range(60):
        try:
            fault.undo(deployment, injection, 0.0)
            if fault.gone(deployment, injection).so:
                return True
        except (Unreachable, HarnessKilled):
            pass
    return False


def obeys(fault: KillProcess | PauseProcess, events: Sequence[str], *, stopped: bool, held: bool) -> None:
    """Carry a fault out and take it back; then look what was hurt, and what is left."""
    platform = Platform(events)
    owners: set[tuple[str, int, int]] = set()
    if stopped:
        pid = platform.add(platform.box(), "held-by-its-owner", state="T")
        owners = {(platform.box().id, pid, platform.box().processes[pid].started)}
    injection = carry_out(platform, fault, held)
    if injection is not None:
        assert take_back(platform, injection)
    before = alive(platform)
    platform.arrive()
    assert alive(platform) == before
    prepared = injection.recipe["processes"][0] if injection is not None else {}  # type: ignore[index]
    hurting = [sent for sent in platform.sent if sent.signal in ("STOP", "KILL")]
    assert all(sent.container == prepared["container_id"] for sent in hurting)
    if isinstance(fault, KillProcess):
        assert {(sent.pid, sent.started) for sent in platform.sent} <= {(prepared.get("pid"), prepared.get("started"))}
    after = alive(platform)
    assert {process for process, state in after.items() if state == "T"} == owners & after.keys()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
@given(happens=HAPPENS, stopped=st.booleans(), held=st.booleans())
def test_only_what_was_prepared_is_hurt_and_nothing_stays_so(
    fault: KillProcess | PauseProcess, happens: list[tuple[int, str]], stopped: bool, held: bool
) -> None:
    """Containers are replaced, the API lags, commands arrive late, processes come and go, the harness is killed."""
    events = [event for gap, what in happens for event in (*["nothing"] * gap, what)]
    obeys(fault, events, stopped=stopped, held=held)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
@pytest.mark.parametrize("what", EVENTS)
def test_one_thing_may_happen_at_any_request_of_a_trial(fault: KillProcess | PauseProcess, what: str) -> None:
    """From preparing to the last look: 24 requests cover it."""
    for request in range(24):
        obeys(fault, ["nothing"] * request + [what], stopped=True, held=True)
