"""Events on what is hurt: whom they are about, what they say, and that nothing waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

import pytest
from lease_platform import Platform

from seatrial.clients.kube import Kube
from seatrial.engine.announce import Announcer, reference
from seatrial.model.errors import NotPermitted, Unreachable
from seatrial.model.fault import Injection
from seatrial.model.observation import Subject

POD = "pod/openstack/openstack-galera-1"
SERVICE = "service/openstack/keystone-internal"


@pytest.fixture
def platform() -> Platform:
    platform = Platform()
    metadata = {"name": "controlplane", "namespace": "openstack"}
    platform.create({"apiVersion": "core.openstack.org/v1beta1", "kind": "OpenStackControlPlane", "metadata": metadata})
    return platform


def announcer(platform: Platform, limited: Callable[[str], object] = lambda _: None) -> Announcer:
    return Announcer(cast("Kube", platform), "openstack", run="20260801T120000Z-lab-resilience", limited=limited)


def events(platform: Platform) -> list[dict[str, Any]]:
    return [m for (kind, _, _), m in platform.objects.items() if kind == "Event"]


def hurt(*subjects: str) -> Injection:
    return Injection("i-1", "pause_process", {}, tuple(map(Subject, subjects)))


def test_each_object_that_is_hurt_gets_an_event_that_names_trial_and_fault(platform: Platform) -> None:
    """By the uid that it had, under the control plane that it belongs to."""
    told = announcer(platform)
    told.injected(hurt(POD, SERVICE), {POD: "uid-of-pod"})
    told.close()
    about_pod, about_service = events(platform)
    assert about_pod["regarding"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "openstack",
        "name": "openstack-galera-1",
        "uid": "uid-of-pod",
    }
    assert "uid" not in about_service["regarding"]
    for event in (about_pod, about_service):
        assert (event["reason"], event["type"], event["action"]) == ("ChaosInjected", "Normal", "pause_process")
        assert event["reportingController"] == "seatrial"
        assert event["related"]["name"] == "controlplane"
        assert "20260801T120000Z-lab-resilience" in event["note"]
        assert "i-1" in event["note"]
        assert event["metadata"]["namespace"] == event["regarding"]["namespace"]


def test_a_trial_says_when_it_begins_what_became_of_each_hurt_and_how_it_ended(platform: Platform) -> None:
    """Only what could not be put right is a warning."""
    told = announcer(platform)
    told.started("resilience")
    told.injected(hurt(POD), {})
    told.recovered(hurt(POD), {})
    told.not_recovered(hurt(SERVICE), {})
    told.ended("complete")
    told.close()
    assert [(e["reason"], e["type"], e["regarding"]["kind"]) for e in events(platform)] == [
        ("TrialStarted", "Normal", "OpenStackControlPlane"),
        ("ChaosInjected", "Normal", "Pod"),
        ("ChaosRecovered", "Normal", "Pod"),
        ("ChaosRecoverFailed", "Warning", "Service"),
        ("TrialEnded", "Normal", "OpenStackControlPlane"),
    ]


@pytest.mark.parametrize("refuses", [NotPermitted("the platform forbids it"), Unreachable("no answer")])
def test_a_platform_that_takes_no_events_is_told_once_as_a_limitation(platform: Platform, refuses: Exception) -> None:
    """However many there would have been."""
    platform.refuses = refuses
    heard: list[str] = []
    told = announcer(platform, heard.append)
    told.injected(hurt(POD, SERVICE, POD), {})
    told.recovered(hurt(POD), {})
    told.close()
    assert heard == [f"Events on what is hurt: {refuses}"]
    assert events(platform) == []


def test_nobody_waits_for_a_platform_that_does_not_answer(platform: Platform) -> None:
    """What is told of has been done, or is being taken back, while the platform still thinks about it."""
    answer = threading.Event()
    asked = threading.Event()

    def between(_: str) -> None:
        asked.set()
        answer.wait(timeout=30)

    platform.between = between
    told = announcer(platform)
    told.injected(hurt(POD), {})
    told.recovered(hurt(POD), {})
    assert asked.wait(timeout=30)
    assert events(platform) == []
    answer.set()
    told.close()
    assert [event["reason"] for event in events(platform)] == ["ChaosInjected", "ChaosRecovered"]


@pytest.mark.parametrize("subject", ["node/node-0", "database/openstack/seatrial_0a1b2c", "projects/seatrial-0a1b2c-"])
def test_what_is_no_object_of_a_namespace_gets_none(subject: str) -> None:
    """An Event is about an object; the harness's own things are not."""
    assert reference(subject) is None
