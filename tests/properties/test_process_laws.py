"""Whatever is replaced when, no process of a container that was not prepared stays frozen or dies by our hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.faults import build, proc
from seatrial.faults.process import KillProcess, PauseProcess
from seatrial.journal.codec import decode, encode
from seatrial.model.errors import Unreachable
from seatrial.model.fault import Injection, Pick, Selector
from tests.unit.containers import Box, Containers, Deployment

ONE = Selector("galera", Pick.NAMED, "openstack-galera-0")
FAULTS = [KillProcess(ONE), PauseProcess(ONE)]
EVENTS = ("nothing", "nothing", "restart", "replace", "down", "lag", "catch up", "fork", "orphan", "end", "killed")


class HarnessKilled(BaseException):
    """The harness itself ends at this request."""


class Platform(Containers):
    """What happens before each request comes from a list, and nothing more when that is at its end."""

    def __init__(self, events: Sequence[str]) -> None:
        super().__init__()
        self._events: Iterator[str] = iter(events)
        self.between = self._happens
        self.boxes: list[Box] = [self.box()]

    def _happens(self, request: str) -> None:
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


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind)
@given(events=st.lists(st.sampled_from(EVENTS), max_size=30), stopped=st.booleans(), held=st.booleans())
def test_only_what_was_prepared_is_hurt_and_nothing_stays_so(
    fault: KillProcess | PauseProcess, events: list[str], stopped: bool, held: bool
) -> None:
    """Containers and pods are replaced, the API lags, processes come and go, the harness is killed: between any two."""
    platform = Platform(events)
    owners: set[tuple[str, int, int]] = set()
    if stopped:
        pid = platform.add(platform.box(), "held-by-its-owner", state="T")
        owners = {(platform.box().id, pid, platform.box().processes[pid].started)}
    injection = carry_out(platform, fault, held)
    if injection is not None:
        assert take_back(platform, injection)
    prepared = injection.recipe["processes"][0] if injection is not None else {}  # type: ignore[index]
    hurting = [sent for sent in platform.sent if sent.signal in ("STOP", "KILL")]
    assert all(sent.container == prepared["container_id"] for sent in hurting)
    if isinstance(fault, KillProcess):
        assert {(sent.pid, sent.started) for sent in platform.sent} <= {(prepared.get("pid"), prepared.get("started"))}
    after = alive(platform)
    assert {process for process, state in after.items() if state == "T"} == owners & after.keys()


@given(after=st.integers(0, 12), what=st.sampled_from(["restart", "replace"]), workers=st.integers(0, 3))
def test_nothing_that_runs_after_a_replacement_has_got_a_signal(after: int, what: str, workers: int) -> None:
    """One replacement, at any request of a whole trial: the new container's processes never hear of it."""
    platform = Platform(["nothing"] * after + [what])
    for _ in range(workers):
        platform.add(platform.box(), "worker")
    injection = carry_out(platform, PauseProcess(ONE), held=True)
    assert injection is None or take_back(platform, injection)
    known = injection.recipe["processes"][0]["container_id"] if injection is not None else None  # type: ignore[index]
    assert {sent.container for sent in platform.sent} <= {known}
