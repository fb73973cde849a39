"""The ground that all operators stand on: conditions, comparing, and the loop that never gives up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial_lab.operators.common import reconciler as loop
from seatrial_lab.operators.common.conditions import Conditions, is_ready
from seatrial_lab.operators.common.kube import Kube, KubeError, contains, hash_of
from seatrial_lab.operators.common.reconciler import Controller, NotYet, Reconciler, Round
from seatrial_lab.operators.common.resources import GALERA, STATEFUL_SET, Json

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)
statuses = st.dictionaries(
    st.sampled_from(["AReady", "BReady", "CReady"]),
    st.sampled_from(["unknown", "true", "waiting", "failed"]),
    min_size=1,
)


def said(states: dict[str, str]) -> Conditions:
    conditions = Conditions(sorted(states))
    for kind, state in states.items():
        getattr(conditions, state)(kind, f"{kind} is {state}")
    return conditions


@given(statuses)
def test_ready_is_first_and_true_only_if_all_are(states: dict[str, str]) -> None:
    """Ready mirrors the worst of the others."""
    first, *rest = said(states).listed()
    assert first["type"] == "Ready"
    assert [c["type"] for c in rest] == sorted(states)
    assert (first["status"] == "True") == all(state == "true" for state in states.values())
    if "failed" in states.values():
        assert first["severity"] == "Error"


@given(statuses)
def test_a_condition_that_did_not_change_keeps_its_time(states: dict[str, str]) -> None:
    """Times tell when something became so, not when it was last looked at."""
    before = [{**condition, "lastTransitionTime": "2001-01-01T00:00:00Z"} for condition in said(states).listed()]
    again = Conditions(sorted(states), before)
    for kind, state in states.items():
        getattr(again, state)(kind, "said in other words")
    assert {c["lastTransitionTime"] for c in again.listed()} == {"2001-01-01T00:00:00Z"}


def test_a_resource_is_ready_only_in_its_present_generation() -> None:
    """A verdict on what was asked for yesterday is none on what is asked for today."""
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "observedGeneration": 1}
    assert is_ready({"metadata": {"generation": 1}, "status": ready})
    assert not is_ready({"metadata": {"generation": 2}, "status": ready})
    assert not is_ready(None)


@given(plain, st.dictionaries(st.text(min_size=4, max_size=6), plain, max_size=3))
def test_what_the_api_server_adds_is_no_difference(wanted: Any, added: Json) -> None:
    """An object contains its manifest whatever else it says; a changed value is always seen."""
    assert contains(wanted, wanted)
    if isinstance(wanted, dict):
        assert contains({**added, **wanted}, wanted)
        for key in wanted:
            assert not contains({**wanted, key: "something else entirely"}, wanted)


def test_one_label_more_in_a_selector_is_a_difference() -> None:
    """It would select other pods, or none."""
    wanted = {"spec": {"selector": {"service": "glance"}}}
    assert contains(wanted, wanted)
    assert not contains({"spec": {"selector": {"service": "glance", "gone": "astray"}}}, wanted)


@given(plain)
def test_a_fingerprint_depends_on_content_alone(value: Any) -> None:
    """The order of keys says nothing."""
    turned = dict(reversed(list(value.items()))) if isinstance(value, dict) else value
    assert hash_of(turned) == hash_of(value)


class OneResource:
    """Stands in for the API server with a single Galera in it."""

    def __init__(self) -> None:
        self.cr: Json | None = {
            "apiVersion": GALERA.api_version,
            "kind": "Galera",
            "metadata": {"name": "db", "namespace": "cloud", "uid": "u1", "resourceVersion": "1", "generation": 1},
            "spec": {},
        }

    async def get(self, *_: object, **__: object) -> Json | None:
        return self.cr

    async def apply_status(self, _: object, manifest: Json) -> Json:
        assert self.cr is not None
        meta = self.cr["metadata"]
        meta = {**meta, "resourceVersion": str(int(meta["resourceVersion"]) + 1)}
        self.cr = {**self.cr, "metadata": meta, "status": manifest["status"]}
        return self.cr


def run_rounds(
    reconcile: Callable[[Round], Awaitable[None]], play: Callable[[Reconciler, OneResource], Awaitable[None]]
) -> OneResource:
    async def main() -> OneResource:
        kube = OneResource()
        controller = Controller(GALERA, reconcile, ("AReady", "BReady"), owns=(STATEFUL_SET,))
        runner = Reconciler(cast("Kube", kube), (controller,))
        assert kube.cr is not None
        runner.hear(GALERA, kube.cr)
        await play(runner, kube)
        await runner.close()
        return kube

    return asyncio.run(main())


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SETTLE_S", 0.01)
    monkeypatch.setattr(loop, "FIRST_RETRY_S", 0.02)


def test_an_error_is_told_in_the_condition_being_worked_on_and_tried_again() -> None:
    """Whatever goes wrong in a round: it is seen on the resource, and the next round may mend it."""
    rounds: list[str] = []

    async def reconcile(this: Round) -> None:
        this.conditions.true("AReady", "fine")
        rounds.append("round")
        if len(rounds) < 3:
            raise KubeError("you may not do that", 403)
        this.conditions.true("BReady", "fine")

    seen: list[Json] = []

    async def play(_: Reconciler, kube: OneResource) -> None:
        await asyncio.sleep(0.025)
        assert kube.cr is not None
        seen.extend(kube.cr["status"]["conditions"])
        await asyncio.sleep(0.3)

    kube = run_rounds(reconcile, play)
    by_type = {condition["type"]: condition for condition in seen}
    assert by_type["AReady"]["status"] == "True"
    assert "you may not do that" in by_type["BReady"]["message"]
    assert len(rounds) == 3
    assert is_ready(kube.cr)


def test_a_moment_without_the_api_is_not_told() -> None:
    """A single failure that the API server itself may cause says nothing about the resource."""
    rounds: list[str] = []

    async def reconcile(this: Round) -> None:
        rounds.append("round")
        if len(rounds) == 1:
            raise KubeError("busy", 503)
        this.conditions.true("AReady", "fine")
        this.conditions.true("BReady", "fine")

    told: list[str] = []

    async def play(_: Reconciler, kube: OneResource) -> None:
        for _again in range(20):
            await asyncio.sleep(0.005)
            assert kube.cr is not None
            told.extend(c["message"] for c in kube.cr.get("status", {}).get("conditions", []))

    assert is_ready(run_rounds(reconcile, play).cr)
    assert not [message for message in told if "busy" in message]


def test_waiting_is_no_error_and_ends_with_an_event() -> None:
    """What a round waits for is told as information; an event of an owned object makes it look again at once."""
    there: list[bool] = []

    async def reconcile(this: Round) -> None:
        this.conditions.true("AReady", "fine")
        if not there:
            raise NotYet("BReady", "waiting for the volume", look_again_s=60)
        this.conditions.true("BReady", "fine")

    async def play(runner: Reconciler, kube: OneResource) -> None:
        await asyncio.sleep(0.05)
        assert kube.cr is not None
        assert kube.cr["status"]["conditions"][0]["severity"] == "Info"
        there.append(True)
        owner = {"kind": "Galera", "name": "db", "uid": "u1", "controller": True}
        runner.hear(
            STATEFUL_SET,
            {
                "metadata": {
                    "name": "x",
                    "namespace": "cloud",
                    "uid": "u2",
                    "resourceVersion": "9",
                    "ownerReferences": [owner],
                }
            },
        )
        await asyncio.sleep(0.1)

    assert is_ready(run_rounds(reconcile, play).cr)


def test_its_own_writes_do_not_wake_it() -> None:
    """A status that was just written is no news; somebody else's change to it is."""
    rounds: list[str] = []

    async def reconcile(this: Round) -> None:
        rounds.append("round")
        this.conditions.true("AReady", "fine")
        this.conditions.true("BReady", "fine")

    async def play(runner: Reconciler, kube: OneResource) -> None:
        await asyncio.sleep(0.05)
        assert kube.cr is not None
        runner.hear(GALERA, kube.cr)
        await asyncio.sleep(0.05)
        assert len(rounds) == 1
        lie = {**kube.cr, "metadata": {**kube.cr["metadata"], "resourceVersion": "99"}, "status": {"conditions": [{}]}}
        kube.cr = lie
        runner.hear(GALERA, lie)
        await asyncio.sleep(0.05)

    kube = run_rounds(reconcile, play)
    assert len(rounds) == 2
    assert is_ready(kube.cr)


def test_what_one_controller_writes_is_news_to_the_others_of_its_operator() -> None:
    """A resource made or changed by its owner's round is tended; its status reaches the owner."""
    rounds: list[str] = []
    written = {"metadata": {"name": "part", "namespace": "cloud", "uid": "u2", "resourceVersion": "5"}}

    class Writable(OneResource):
        async def apply(self, _: Json) -> Json:
            return written

    async def owner(this: Round) -> None:
        rounds.append("owner")
        await this.apply({"kind": "StatefulSet", "apiVersion": "apps/v1", "metadata": {"name": "part"}})
        this.conditions.true("AReady", "fine")

    async def part(_: Round) -> None:
        rounds.append("part")

    async def main() -> None:
        kube = Writable()
        owning = Controller(GALERA, owner, ("AReady",), owns=(STATEFUL_SET,))
        runner = Reconciler(cast("Kube", kube), (owning, Controller(STATEFUL_SET, part, ())))
        assert kube.cr is not None
        runner.hear(GALERA, kube.cr)
        await asyncio.sleep(0.05)
        runner.hear(STATEFUL_SET, written)
        await asyncio.sleep(0.05)
        await runner.close()

    asyncio.run(main())
    assert rounds == ["owner", "part"]


def test_a_deleted_resource_is_left_in_peace() -> None:
    """Nothing is made for a resource on its way out."""

    async def reconcile(_: Round) -> None:
        pytest.fail("a round for a resource that is being deleted")

    async def main() -> None:
        kube = OneResource()
        assert kube.cr is not None
        kube.cr["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        runner = Reconciler(cast("Kube", kube), (Controller(GALERA, reconcile, ("AReady",)),))
        runner.hear(GALERA, kube.cr)
        await asyncio.sleep(0.05)
        await runner.close()

    asyncio.run(main())
