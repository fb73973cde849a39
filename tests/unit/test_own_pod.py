"""The harness's own pod: what it is admitted as, what it borrows, and what is said when it does not start."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seatrial.faults.fixture_pod import AgentPod
from seatrial.faults.own_pod import NOBODY, UID_RANGE
from seatrial.model.errors import NotPermitted
from seatrial.model.fault import Injection
from seatrial.model.target import Agent, Cloud, Kubernetes, Target
from tests.unit import eyes_evidence as eyes

READY = {"type": "Ready", "status": "True"}


class Kube:
    """Keeps pods; admits all, and shows what it was asked to create."""

    def __init__(self, *, lender: dict[str, Any] | None = None, annotations: dict[str, str] | None = None) -> None:
        self.lender, self.annotations = lender or keystone(), annotations or {}
        self.created: list[dict[str, Any]] = []
        self.status: dict[str, Any] | None = None
        self.events: list[dict[str, str]] | None = []
        self.asked: list[str] = []

    def get(self, kind: str, name: str, *, namespace: str | None = None) -> dict[str, Any] | None:
        if kind == "Namespace":
            return {"metadata": {"name": name, "annotations": self.annotations}}
        if name in eyes.KEYSTONE:
            return self.lender
        if self.status is None:
            return None
        return {"metadata": {"name": name, "namespace": namespace, "uid": "u-1"}, "status": self.status}

    def list(self, kind: str, *, namespace: str, fields: str) -> list[dict[str, str]]:
        self.asked.append(fields)
        if self.events is None:
            raise NotPermitted("no")
        return self.events

    def create(self, manifest: dict[str, Any]) -> None:
        self.created.append(manifest)


def keystone(**spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "logs", "image": "logs:1"}, {"name": "api", "image": "api:1"}], **spec}}


def deployment(kube: Kube, image: str | None = None) -> Any:
    target = Target("t", Kubernetes((Path("k"),)), Cloud(Path("c"), "c"), agent=Agent(image))
    return SimpleNamespace(kube=kube, target=target)


def put(kube: Kube, image: str | None = None) -> tuple[Injection, dict[str, Any]]:
    there = deployment(kube, image)
    injection = AgentPod().prepare(there, eyes.inventory(), 1)
    AgentPod().inject(there, injection)
    return injection, kube.created[-1]


def restricted(pod: dict[str, Any]) -> list[str]:
    """Return which rules of the Pod Security Standard *restricted* (kubernetes.io) a pod breaks."""
    spec = pod["spec"]
    [container] = spec["containers"]
    own, of_pod = container.get("securityContext") or {}, spec.get("securityContext") or {}
    both = {**of_pod, **own}
    broken = {
        "privileged": own.get("privileged"),
        "privilege escalation": own.get("allowPrivilegeEscalation") is not False,
        "host": any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")) or container.get("ports"),
        "capabilities": own.get("capabilities") != {"drop": ["ALL"]},
        "volumes": spec.get("volumes"),
        "root": both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0,
        "seccomp": (both.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"),
    }
    return [rule for rule, wrong in broken.items() if wrong]


@pytest.mark.parametrize("user", [None, 0, 42425])
@pytest.mark.parametrize("annotations", [{}, {UID_RANGE: "1000650000/10000"}])
@pytest.mark.parametrize("image", [None, "own:1"])
def test_it_is_admitted_where_nothing_runs_as_root(
    user: int | None, annotations: dict[str, str], image: str | None
) -> None:
    """It names a user that is not root, but where the platform gives each pod its own."""
    context = {} if user is None else {"runAsUser": user}
    _, pod = put(Kube(lender=keystone(securityContext=context), annotations=annotations), image)
    assert restricted(pod) == []
    wanted = user if user and image is None else NOBODY
    assert pod["spec"]["securityContext"].get("runAsUser") == (None if annotations else wanted)


def test_it_is_bounded_in_everything() -> None:
    """Processor, memory and time; no token of an account, and it is known for whose it is."""
    injection, pod = put(Kube())
    [container] = pod["spec"]["containers"]
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}
    assert pod["spec"]["activeDeadlineSeconds"] <= 4 * 3600
    assert pod["spec"]["automountServiceAccountToken"] is False
    labels = {key.rpartition("/")[2]: value for key, value in pod["metadata"]["labels"].items()}
    assert labels == {
        "part-of": "seatrial",
        "name": "seatrial-agent",
        "managed-by": "seatrial",
        "instance": injection.id,
    }


def test_it_borrows_image_and_pull_secrets_as_the_spec_says() -> None:
    """The status may name an image by an id that no registry knows; the last container is the service."""
    lender = keystone(imagePullSecrets=[{"name": "mirror"}, {}])
    lender["status"] = {"containerStatuses": [{"name": "api", "image": "sha256:0123"}]}
    _, pod = put(Kube(lender=lender))
    assert pod["spec"]["containers"][0]["image"] == "api:1"
    assert pod["spec"]["imagePullSecrets"] == [{"name": "mirror"}]
    _, own = put(Kube(lender=lender), "own:1")
    assert own["spec"]["containers"][0]["image"] == "own:1"
    assert "imagePullSecrets" not in own["spec"]


def test_it_would_rather_not_sit_beside_what_is_hurt() -> None:
    """Nodes without a member of the database or broker are better; none of them is still good enough."""
    _, pod = put(Kube())
    affinity = pod["spec"]["affinity"]["podAntiAffinity"]
    [wish] = affinity.pop("preferredDuringSchedulingIgnoredDuringExecution")
    [named] = wish["podAffinityTerm"]["labelSelector"]["matchExpressions"]
    assert named["values"] == sorted([*eyes.GALERA, *eyes.RABBIT])
    assert affinity == {}


def _look(kube: Kube) -> Any:
    injection, _ = put(kube)
    return AgentPod().holds(deployment(kube), injection)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            {"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]},
            "Unschedulable: 0/3 nodes",
        ),
        (
            {"phase": "Pending", "containerStatuses": [
                {"state": {"waiting": {"reason": "ErrImagePull", "message": "pull access\ndenied"}}}]},
            "ErrImagePull: pull access denied",
        ),
        (
            {"phase": "Failed", "containerStatuses": [
                {"state": {"terminated": {"reason": "StartError", "exitCode": 128, "message": "no python3"}}}]},
            "ended with 128 (StartError): no python3",
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": "the node was low on memory"}, "Evicted: the node"),
    ],
)  # fmt: skip
def test_a_pod_that_does_not_start_is_told_with_why(status: dict[str, Any], said: str) -> None:
    """In the platform's own words."""
    kube = Kube()
    kube.status = status
    look = _look(kube)
    assert not look.so
    assert any(line.startswith(said) for line in look.proof["why"]), look.proof
    assert kube.asked == []


def test_what_only_events_tell_is_asked_of_them() -> None:
    """Once the status says nothing, of this one pod; an account that may not ask them still has a pod."""
    kube = Kube()
    kube.status = {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}
    kube.events = [{"reason": "FailedMount", "message": "not there"}] * 2
    assert _look(kube).proof["why"] == ["FailedMount: not there"]
    assert kube.asked == ["involvedObject.uid=u-1,type=Warning"]
    kube.events = None
    assert _look(kube).proof["why"] == []
    kube.status = {"phase": "Running", "conditions": [READY]}
    assert _look(kube).so


def test_no_pod_is_no_ready_pod() -> None:
    """Somebody else deleted it."""
    assert _look(Kube()).proof == {"phase": None, "why": ["there is no such pod"]}
