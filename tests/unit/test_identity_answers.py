"""Who is shown which token: pods none that is worth anything, the catalogue's public addresses the user's own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.clients.kube_exec import ExecResult
from seatrial.clients.openstack import HttpAnswer
from seatrial.model.inventory import Container, Port, ServiceObject
from seatrial.model.observation import Observation
from seatrial.model.target import Cloud, Kubernetes, Secret, Target
from seatrial.probes.keystone import answers
from seatrial.probes.keystone.answering import PROTECTED, TYPES, protected_page
from tests.unit import eyes_evidence as eyes

TOKEN = "gAAAAAB-the-administrators-own"
PUBLIC = "https://keystone.example.com"
CATALOG = [
    {
        "type": "identity",
        "endpoints": [
            {"interface": "public", "url": PUBLIC},
            {"interface": "internal", "url": "https://keystone-internal.openstack.svc:5000"},
        ],
    },
    {"type": "unheard-of", "endpoints": [{"interface": "public", "url": "https://elsewhere.example.com"}]},
]


class Kube:
    """Runs the script that asks: everybody answers 401."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def list(self, kind: str, **_: Any) -> list[dict[str, Any]]:
        ends = [
            {"targetRef": {"kind": "Pod", "name": name}, "addresses": [f"10.0.0.{i}"]}
            for i, name in enumerate(eyes.KEYSTONE)
        ]
        return [{"ports": [{"port": 5000}], "endpoints": ends}]

    def exec(self, pod: str, argv: list[str], *, stdin: str, **_: Any) -> ExecResult:
        self.sent += [stdin, *argv]
        config = json.loads(json.loads(stdin.rsplit("main(json.loads(", 1)[1].rsplit("))", 1)[0]))
        return ExecResult(json.dumps([{"status": 401} for _ in config["questions"]]), "", 0)


class OpenStack:
    """A cloud whose users get in with their token."""

    def __init__(self) -> None:
        self.shown_to: list[str] = []

    def token(self) -> Secret:
        return Secret(TOKEN)

    def catalog(self) -> list[dict[str, Any]]:
        return CATALOG

    def get(self, url: str, *, token: bool, timeout_s: float) -> HttpAnswer:
        if token:
            self.shown_to.append(url)
        return HttpAnswer(200 if token else 401, "")


def asked() -> tuple[Kube, OpenStack, tuple[Observation, ...]]:
    kube, cloud = Kube(), OpenStack()
    target = Target("t", Kubernetes((Path("k"),)), Cloud(Path("c"), "c"))
    deployment: Any = SimpleNamespace(kube=kube, openstack=cloud, target=target)
    full = eyes.inventory()
    alive = [
        replace(c, replicas=tuple(replace(r, containers=(Container("it", True, 0),)) for r in c.replicas))
        for c in full.components
    ]
    front = ServiceObject(
        "keystone-internal", "openstack", "keystone", "ClusterIP", "172.30.0.1", (),
        (Port("it", 5000, "5000"),), {}, (), {"endpoint": "internal"}, (),
    )  # fmt: skip
    return kube, cloud, answers(deployment, replace(full, components=tuple(alive), services=(front,)))


def test_the_valid_token_goes_to_public_addresses_of_known_apis_and_to_nobody_else() -> None:
    """What runs in a pod is given a token that opens nothing, and each instance is asked with it and without one."""
    kube, cloud, looks = asked()
    assert cloud.shown_to == [f"{PUBLIC}/v3/projects"]
    assert kube.sent
    assert all(TOKEN not in text for text in kube.sent)
    shown = {(look.subject, look.value["shown"]) for look in looks}  # type: ignore[index,call-overload]
    inside = [*(eyes.pod(name) for name in eyes.KEYSTONE), "service/openstack/keystone-internal"]
    assert shown == {(s, how) for s in inside for how in ("nothing", "a made-up token")} | {
        ("catalog/identity", how) for how in ("nothing", "a valid token")
    }


def test_the_answers_of_a_closed_deployment_conform() -> None:
    """Probe and check mean the same."""
    from tests.unit.test_eyes_checks import judged  # noqa: PLC0415

    *_, looks = asked()
    verdict = judged("API-3", [eyes.catalog("identity"), *looks])
    assert verdict.outcome.value == "conforms", verdict.because
    assert "no pod is shown one" in verdict.because


@pytest.mark.parametrize(
    ("url", "page", "found"),
    [
        ("https://k", "/v3/projects", "https://k/v3/projects"),
        ("https://k/v3", "/v3/projects", "https://k/v3/projects"),
        ("https://c/identity/v3/", "/v3/projects", "https://c/identity/v3/projects"),
        ("https://c:8774/v2.1", "/v2.1/servers", "https://c:8774/v2.1/servers"),
        ("https://c/placement", "/resource_classes", "https://c/placement/resource_classes"),
        ("https://c/heat-api/v1/0123456789abcdef", "/v1/stacks", "https://c/heat-api/v1/stacks"),
    ],
)
def test_the_protected_page_is_found_below_any_endpoint(url: str, page: str, found: str) -> None:
    """With a version, with a path before it, with a project behind it."""
    assert protected_page(url, page) == found


@given(st.sampled_from(sorted(TYPES.values())), st.lists(st.sampled_from(["api", "cloud", "x"])))
def test_a_page_stays_below_its_endpoint(service: str, path: list[str]) -> None:
    """Never another host, never above the path that the cloud gave the API."""
    root = "/".join(["https://c.example.com", *path])
    assert protected_page(root, PROTECTED[service]) == root + PROTECTED[service]
