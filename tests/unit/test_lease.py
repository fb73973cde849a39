"""One trial at a time: who has the deployment, who is refused, how a trial is stopped, and what death looks like."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lease_platform import Hours, Platform

from seatrial.clients.kube import Kube
from seatrial.engine import lease as leases
from seatrial.engine.lease import DURATION_S, RENEW_S, SKEW_S, Lease, ask_to_stop, give_back, read
from seatrial.model.errors import BadInput, NotPermitted, Unreachable

NAMESPACE = "openstack"
KEY = ("Lease", NAMESPACE, "seatrial")


class Trial:
    """One who wants the deployment, with a clock of its own, and what it was asked."""

    def __init__(self, platform: Platform, run: str, hours: Hours | None = None) -> None:
        self.asked: list[str] = []
        self.open: list[str] = []
        self.hours = hours or Hours()
        self.lease = Lease(
            cast("Kube", platform),
            NAMESPACE,
            run=run,
            suite="resilience",
            still_open=lambda: self.open,
            ask=self.asked.append,
            clock=self.hours.clock,
        )


@pytest.fixture(autouse=True)
def nobody_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tests say when a Lease is looked at, instead of a thread."""
    monkeypatch.setattr(Lease, "_beat_on", lambda _: None)


@pytest.fixture
def platform() -> Platform:
    return Platform()


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every holder be on a machine whose processes can't be seen from here."""
    monkeypatch.setattr(leases, "_process", lambda _: "")


def kube(platform: Platform) -> Kube:
    return cast("Kube", platform)


def held(platform: Platform) -> dict[str, Any]:
    return platform.objects[KEY]


def test_a_trial_that_has_it_is_seen_and_gives_it_back(platform: Platform) -> None:
    """Who, which run, which suite, since when, and what is open; nothing is there before and after."""
    trial = Trial(platform, "run-1")
    assert read(kube(platform), NAMESPACE) is None
    trial.lease.acquire()
    trial.open = ["pause_process of pod/openstack/a (i-1)"]
    trial.hours.passed_s += RENEW_S
    trial.lease.beat()
    holder = read(kube(platform), NAMESPACE)
    assert holder is not None
    assert "@" in holder.who
    assert (holder.run, holder.suite, holder.since) == ("run-1", "resilience", "2026-08-01T12:00:00Z")
    assert holder.open == ("pause_process of pod/openstack/a (i-1)",)
    assert holder.silent_s(trial.hours.now()) == 0
    trial.lease.release(whole=True)
    assert read(kube(platform), NAMESPACE) is None


def test_a_second_trial_is_refused_and_told_whose_it_is(platform: Platform) -> None:
    """At once, where the holder's process is seen to live; and nothing of the first is changed."""
    Trial(platform, "run-1").lease.acquire()
    before = held(platform)
    second = Trial(platform, "run-2")
    with pytest.raises(
        BadInput, match=r"going on: \S+@\S+, run run-1 \(suite resilience\), since 2026-08-01T12:00:00Z"
    ):
        second.lease.acquire()
    assert held(platform) == before
    assert second.hours.passed_s == 0
    assert not second.lease.held
    second.lease.release(whole=True)
    assert held(platform) == before


@pytest.mark.usefixtures("elsewhere")
@given(st.floats(-SKEW_S, SKEW_S), st.integers(0, DURATION_S - 1))
def test_a_holder_elsewhere_that_renews_lives_whatever_the_clocks_say(skew_s: float, into: int) -> None:
    """It is watched until it renews: that proves life, and no clock does."""
    platform = Platform()
    first, second = Trial(platform, "run-1"), Trial(platform, "run-2")
    first.lease.acquire()
    second.hours.skew_s = skew_s

    def meanwhile() -> None:
        first.hours.passed_s = second.hours.passed_s
        if second.hours.passed_s > into:
            first.lease.beat()

    second.hours.meanwhile = meanwhile
    with pytest.raises(BadInput, match="a trial that is going on"):
        second.lease.acquire()
    assert second.hours.passed_s < DURATION_S + 1


@pytest.mark.usefixtures("elsewhere")
@given(st.floats(-10 * SKEW_S, SKEW_S + DURATION_S))
def test_a_holder_elsewhere_that_does_not_renew_is_dead_after_as_long_as_its_lease_lasts(skew_s: float) -> None:
    """Its run is offered for undo first; its Lease is not taken by a trial."""
    platform = Platform()
    Trial(platform, "run-1").lease.acquire()
    second = Trial(platform, "run-2")
    second.hours.skew_s = skew_s
    with pytest.raises(BadInput, match="`seatrial undo` of that run first"):
        second.lease.acquire()
    assert second.hours.passed_s >= DURATION_S
    assert read(kube(platform), NAMESPACE) is not None


@pytest.mark.usefixtures("elsewhere")
def test_a_time_that_is_past_beyond_any_difference_of_clocks_is_death_at_once(platform: Platform) -> None:
    """Nobody has to watch what was left yesterday."""
    Trial(platform, "run-1").lease.acquire()
    second = Trial(platform, "run-2")
    second.hours.skew_s = DURATION_S + SKEW_S + 1
    with pytest.raises(BadInput, match="a trial that has died"):
        second.lease.acquire()
    assert second.hours.passed_s == 0


def test_a_process_of_this_machine_that_has_ended_is_dead_at_once(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The undo that follows a kill does not wait for a Lease to run out; another start time is another process."""
    trial = Trial(platform, "run-1")
    trial.lease.acquire()
    process = held(platform)["metadata"]["annotations"]["seatrial/process"]
    assert leases._lives(process) is True
    ended = " ".join([*process.split()[:3], "1"])
    assert leases._lives(ended) is False
    held(platform)["metadata"]["annotations"]["seatrial/process"] = ended
    second = Trial(platform, "run-2")
    with pytest.raises(BadInput, match="a trial that has died"):
        second.lease.acquire()
    assert second.hours.passed_s == 0
    assert leases._lives("another-boot pid:[1] 1 1") is None
    monkeypatch.setattr(leases, "_process", lambda _: "")
    assert leases._lives(process) is None


def test_the_undo_of_a_dead_run_takes_its_lease_over_and_removes_it(platform: Platform) -> None:
    """Only of that run; whoever renews for the dead one by mistake is told that it is over."""
    dead = Trial(platform, "run-1")
    dead.lease.acquire()
    held(platform)["metadata"]["annotations"]["seatrial/process"] = ""
    other, undo = Trial(platform, "run-0"), Trial(platform, "run-1")
    other.lease.acquire_for_undo()
    assert not other.lease.held
    undo.lease.acquire_for_undo()
    assert undo.lease.held
    dead.lease.beat()
    assert "was taken over" in dead.asked[0]
    dead.lease.release(whole=True)
    assert read(kube(platform), NAMESPACE) is not None
    undo.lease.release(whole=True)
    assert read(kube(platform), NAMESPACE) is None


def test_an_undo_waits_for_no_trial_that_lives(platform: Platform) -> None:
    """What it took back would be in the other's evidence; also when it is the very run."""
    Trial(platform, "run-1").lease.acquire()
    for run in ("run-0", "run-1"):
        with pytest.raises(BadInput, match="going on"):
            Trial(platform, run).lease.acquire_for_undo()


@pytest.mark.parametrize("refuses", [NotPermitted("the platform forbids it"), Unreachable("no answer")])
def test_an_undo_goes_on_without_where_a_trial_does_not_begin(platform: Platform, refuses: Exception) -> None:
    """Undoing depends on nothing that can fail."""
    platform.refuses = refuses
    Trial(platform, "run-1").lease.acquire_for_undo()
    with pytest.raises(type(refuses)):
        Trial(platform, "run-1").lease.acquire()


def test_what_is_left_behind_is_left_to_say_so(platform: Platform) -> None:
    """The next trial is told at once, and offered the undo; a second undo may follow a first that failed."""
    trial = Trial(platform, "run-1")
    trial.lease.acquire()
    trial.open = ["delete_pod of pod/openstack/a (i-1)"]
    trial.lease.release(whole=False)
    held(platform)["metadata"]["annotations"]["seatrial/process"] = ""
    holder = read(kube(platform), NAMESPACE)
    assert holder is not None
    assert holder.left
    assert holder.open == ("delete_pod of pod/openstack/a (i-1)",)
    with pytest.raises(BadInput, match="has ended with something left behind"):
        Trial(platform, "run-2").lease.acquire()
    undo = Trial(platform, "run-1")
    undo.lease.acquire_for_undo()
    now = read(kube(platform), NAMESPACE)
    assert now is not None
    assert not now.left
    undo.lease.release(whole=True)
    assert KEY not in platform.objects


def test_a_dead_run_that_left_nothing_gives_its_lease_back(platform: Platform) -> None:
    """Another run's is not touched, nor that of one that lives."""
    Trial(platform, "run-1").lease.acquire()
    give_back(kube(platform), NAMESPACE, "run-1")
    assert KEY in platform.objects
    process = held(platform)["metadata"]["annotations"]["seatrial/process"]
    held(platform)["metadata"]["annotations"]["seatrial/process"] = " ".join([*process.split()[:3], "1"])
    give_back(kube(platform), NAMESPACE, "run-2")
    assert KEY in platform.objects
    give_back(kube(platform), NAMESPACE, "run-1")
    assert KEY not in platform.objects


def test_who_asks_it_to_stop_is_heard_once(platform: Platform) -> None:
    """And the Lease is kept while everything is taken back."""
    trial = Trial(platform, "run-1")
    trial.lease.acquire()
    ask_to_stop(kube(platform), NAMESPACE)
    for _ in range(20):
        trial.hours.passed_s += 1
        trial.lease.beat()
    assert len(trial.asked) == 1
    assert trial.asked[0].startswith("stopped by ")
    holder = read(kube(platform), NAMESPACE)
    assert holder is not None
    assert holder.stop
    silent_s = holder.silent_s(trial.hours.now())
    assert silent_s is not None
    assert silent_s < 2 * RENEW_S


def test_a_lease_that_has_vanished_asks_for_the_end_and_is_not_made_again(platform: Platform) -> None:
    """Somebody deleted it on purpose: that is the other way to stop a trial."""
    trial = Trial(platform, "run-1")
    trial.lease.acquire()
    del platform.objects[KEY]
    for _ in range(10):
        trial.hours.passed_s += RENEW_S
        trial.lease.beat()
    assert trial.asked == ["the Lease 'seatrial' was deleted"]
    assert KEY not in platform.objects


def test_a_platform_that_is_away_ends_nothing(platform: Platform) -> None:
    """The deployment under trial is hurt on purpose: its platform may well be away for longer than a Lease lasts."""
    trial = Trial(platform, "run-1")
    trial.lease.acquire()
    platform.away = True
    for _ in range(3 * DURATION_S):
        trial.hours.passed_s += 1
        trial.lease.beat()
    platform.away = False
    trial.lease.beat()
    assert trial.asked == []
    holder = read(kube(platform), NAMESPACE)
    assert holder is not None
    assert holder.silent_s(trial.hours.now()) == 0


def test_a_stop_that_is_written_while_it_is_renewed_is_not_lost(platform: Platform) -> None:
    """The renewal was of what had been read before: it is refused, and the next look sees the wish."""
    trial = Trial(platform, "run-1")
    trial.lease.acquire()
    trial.hours.passed_s += RENEW_S

    def between(verb: str) -> None:
        if verb == "replace":
            platform.between = lambda _: None
            ask_to_stop(kube(platform), NAMESPACE)

    platform.between = between
    trial.lease.beat()
    trial.lease.beat()
    assert trial.asked


@given(st.lists(st.booleans(), min_size=2, max_size=6))
def test_of_many_who_want_it_at_the_same_moment_exactly_one_has_it(undoing: list[bool]) -> None:
    """Whether it is free, or a dead run's that several undo at once: all have read the same before any writes."""
    platform = Platform()
    if undoing[0]:
        Trial(platform, "run-0").lease.acquire()
        held(platform)["metadata"]["annotations"]["seatrial/process"] = ""
        held(platform)["spec"]["renewTime"] = "2026-01-01T00:00:00.000000Z"
    wanting = [Trial(platform, "run-0" if undoing[0] else f"run-{n}") for n, _ in enumerate(undoing)]
    together = threading.Barrier(len(wanting))
    first = {"create": threading.local(), "replace": threading.local()}

    def between(verb: str) -> None:
        if verb in first and not hasattr(first[verb], "was"):
            first[verb].was = True
            together.wait(timeout=10)

    platform.between = between
    refused: list[BaseException] = []

    def want(trial: Trial) -> None:
        try:
            trial.lease.acquire_for_undo() if undoing[0] else trial.lease.acquire()
        except BadInput as error:
            refused.append(error)

    threads = [threading.Thread(target=want, args=(trial,)) for trial in wanting]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    winners = [trial for trial in wanting if trial.lease.held]
    assert len(winners) == 1
    assert len(refused) == len(wanting) - 1
    winners[0].lease.release(whole=True)
    assert KEY not in platform.objects
