"""The key that drift puts into a ConfigMap: ours alone, never the rest of it, and gone whatever happened meanwhile."""

from __future__ import annotations

import itertools
import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.clients.deployment import Deployment
from seatrial.clients.kube import Rejected
from seatrial.faults import config, drift
from seatrial.faults.config import AlterConfigMap
from seatrial.faults.registry import build
from seatrial.journal.codec import decode, encode
from seatrial.model.errors import BadInput, NotPermitted, Unreachable
from seatrial.model.fault import Injection
from tests.unit import eyes_evidence as eyes

SECRET = "transport_url=rabbit://user:hunter2@rabbitmq"
FAULT = AlterConfigMap("rabbitmq-server-conf", "openstack")
SUBJECT = "configmap/openstack/rabbitmq-server-conf"
OWNED = [{"kind": "RabbitMq", "name": "rabbitmq", "uid": "u-rabbitmq", "controller": True}]


class Platform:
    """The platform's API as far as one ConfigMap goes: merge patches, uids and versions as the real one has them."""

    def __init__(self, owners: list[dict[str, Any]] = OWNED, **more: Any) -> None:
        self.found: dict[str, Any] | None = None
        self.patches: list[dict[str, Any]] = []
        self._versions = itertools.count(1)
        self.make(owners, **more)

    def make(self, owners: list[dict[str, Any]] = OWNED, **more: Any) -> None:
        """Make it, or make it anew."""
        number = next(self._versions)
        metadata = {"name": FAULT.name, "namespace": FAULT.namespace, "uid": f"u-{number}", "ownerReferences": owners}
        self.found = {"metadata": {**metadata, "resourceVersion": str(number)}, "data": {"10.conf": SECRET}, **more}

    def get(self, kind: str, name: str, *, namespace: str) -> dict[str, Any] | None:
        assert (kind, name, namespace) == ("ConfigMap", FAULT.name, FAULT.namespace)
        return cast("dict[str, Any] | None", json.loads(json.dumps(self.found)))

    def patch(self, kind: str, name: str, patch: dict[str, Any], *, namespace: str) -> dict[str, Any]:
        assert (kind, name, namespace) == ("ConfigMap", FAULT.name, FAULT.namespace)
        if self.found is None:
            raise Rejected("not found", 404)
        if patch.get("metadata", {}).get("uid", self.found["metadata"]["uid"]) != self.found["metadata"]["uid"]:
            raise Rejected("the UID in the precondition is another", 409)
        self.patches.append(patch)
        self.write({**self.found["data"], **patch["data"]})
        return self.found

    def write(self, data: dict[str, Any]) -> None:
        """Write its data as an operator does: whole."""
        assert self.found is not None
        self.found["data"] = {key: value for key, value in data.items() if value is not None}
        self.found["metadata"]["resourceVersion"] = str(next(self._versions))

    def correct(self) -> None:
        """Do what its operator does."""
        self.write({"10.conf": SECRET})

    @property
    def deployment(self) -> Deployment:
        class _Deployment:
            kube = self

        return cast("Deployment", _Deployment())

    @property
    def keys(self) -> set[str]:
        return set((self.found or {}).get("data") or ())


def prepared(platform: Platform) -> Injection:
    """An injection as a later process reads it out of the journal."""
    injection = FAULT.prepare(platform.deployment, eyes.inventory(), 1)
    return decode(Injection, encode(injection))


def test_its_parameters_make_it_again() -> None:
    assert build("alter_configmap", FAULT.parameters()) == FAULT
    with pytest.raises(BadInput):
        build("alter_configmap", {"name": 1})


def test_nothing_of_what_is_in_it_is_kept() -> None:
    """A ConfigMap may hold passwords; the journal knows its name, its identity and our key."""
    injection = prepared(Platform())
    assert "hunter2" not in json.dumps(encode(injection))
    assert set(injection.recipe) == {"object_kind", "name", "namespace", "uid", "version", "added"}
    assert injection.subjects == (SUBJECT,)
    assert injection.costs == {SUBJECT: 0}


def test_the_key_is_added_and_taken_away_and_all_else_left() -> None:
    platform = Platform()
    injection = prepared(platform)
    FAULT.inject(platform.deployment, injection)
    assert len(platform.keys) == 2
    assert FAULT.holds(platform.deployment, injection).so
    assert not FAULT.gone(platform.deployment, injection).so
    for _ in range(2):
        FAULT.undo(platform.deployment, injection, 0.0)
        assert FAULT.gone(platform.deployment, injection).so
    assert platform.keys == {"10.conf"}
    assert all("10.conf" not in patch["data"] for patch in platform.patches)


def test_an_operator_that_is_quicker_than_any_look_is_no_failure() -> None:
    """What was changed and is right again was drift all the same."""
    platform = Platform()
    injection = prepared(platform)
    FAULT.inject(platform.deployment, injection)
    assert not drift.restored(platform.deployment, injection, within_s=0).value
    platform.correct()
    look = FAULT.holds(platform.deployment, injection)
    assert look.so
    assert look.proof == {"key_there": False, "changed": True}
    assert drift.restored(platform.deployment, injection, within_s=0).value


def test_nothing_held_when_nothing_was_done() -> None:
    platform = Platform()
    injection = prepared(platform)
    assert not FAULT.holds(platform.deployment, injection).so
    assert FAULT.gone(platform.deployment, injection).so
    FAULT.undo(platform.deployment, injection, 0.0)
    assert platform.patches == []


def test_another_config_map_of_the_same_name_is_left_alone() -> None:
    """It was made anew since: nobody prepared that one."""
    platform = Platform()
    injection = prepared(platform)
    platform.make()
    with pytest.raises(Rejected):
        FAULT.inject(platform.deployment, injection)
    assert platform.keys == {"10.conf"}
    assert FAULT.gone(platform.deployment, injection).so


@pytest.mark.parametrize("owners", [[], [{**OWNED[0], "controller": False}]], ids=["nobody", "not its controller"])
def test_what_no_operator_keeps_is_not_touched(owners: list[dict[str, Any]]) -> None:
    with pytest.raises(NotPermitted, match="no drift"):
        prepared(Platform(owners))


def test_an_immutable_one_is_not_tried() -> None:
    with pytest.raises(NotPermitted, match="immutable"):
        prepared(Platform(immutable=True))


def test_one_that_is_not_there_is_not_tried() -> None:
    platform = Platform()
    platform.found = None
    with pytest.raises(Unreachable):
        prepared(platform)


@pytest.mark.parametrize("key", ["10.conf", "", None, "seatrial-canary-x", "seatrial-canary-01234567/../x"])
def test_a_damaged_recipe_reaches_no_key_but_ours(key: Any) -> None:
    platform = Platform()
    injection = prepared(platform)
    broken = Injection("i-1", FAULT.kind, FAULT.parameters(), injection.subjects, {**injection.recipe, "added": key})
    with pytest.raises(BadInput):
        FAULT.undo(platform.deployment, broken, 0.0)
    assert platform.keys == {"10.conf"}


@given(st.lists(st.sampled_from(["inject", "undo", "correct", "delete", "make"]), max_size=8))
def test_after_undo_our_key_is_nowhere(life: list[str]) -> None:
    """Whatever happened to the ConfigMap in whatever order, and however often undo was tried before."""
    platform = Platform()
    injection = prepared(platform)
    for event in life:
        if event == "inject" and platform.found is not None:
            before = platform.found["metadata"]["uid"]
            if before == injection.recipe["uid"]:
                FAULT.inject(platform.deployment, injection)
        elif event == "undo":
            FAULT.undo(platform.deployment, injection, 0.0)
        elif event == "correct" and platform.found is not None:
            platform.correct()
        elif event == "delete":
            platform.found = None
        elif event == "make" and platform.found is None:
            platform.make()
    FAULT.undo(platform.deployment, injection, 0.0)
    assert FAULT.gone(platform.deployment, injection).so
    assert platform.found is None or platform.keys == {"10.conf"}
    assert not any(config.KIND in str(patch) for patch in platform.patches)
