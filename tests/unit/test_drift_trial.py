"""The whole of drift on a small cloud: made, seen to be put right or not, taken back, and judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from seatrial import waiting
from seatrial.engine import collect
from seatrial.engine.identity import identify
from seatrial.engine.session import Session
from seatrial.journal.folder import RunFolder
from seatrial.model.errors import NotPermitted
from seatrial.model.observation import Observation
from seatrial.model.run import Plan
from seatrial.model.target import Grant, Limits
from seatrial.model.verdict import Outcome, Verdict
from tests.fake.clock import installed
from tests.fake.platform import SPACE, Deployment, Platform

KEYS = ["configmap/openstack/openstack-config-data", "configmap/openstack/rabbitmq-config-data"]
MORE, SERVICE = "deployment/openstack/keystone", "service/openstack/keystone-internal"


@dataclass
class Tried:
    """What a trial of drift saw, and how it was judged."""

    seen: tuple[Observation, ...]
    verdict: Verdict

    def of(self, probe: str) -> list[str]:
        return [str(look.subject) for look in self.seen if look.probe == probe]


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    """A small cloud as it should be, with Services that only the inside uses."""
    made = Platform(installed(monkeypatch))
    for name in ("openstack", "rabbitmq", "keystone"):
        for service in (
            made.objects["Service", SPACE, f"{name}-internal"],
            made.declared["Service", SPACE, f"{name}-internal"],
        ):
            service["metadata"]["labels"]["endpoint"] = "internal"
            service["spec"]["type"] = "ClusterIP"
    return made


def tried(platform: Platform, folder: Path, *, most: int = 1, grant: Grant = Grant.DISRUPT) -> Tried:
    """Try drift with a real session on it."""
    deployment: Any = Deployment(platform)
    deployment.target = replace(deployment.target, grant=grant, limits=Limits({"*": most}, ()))
    plan = Plan("fake", "resilience", 1, (), (), grant.value, waiting.budgets({}), {})
    session = Session(
        deployment.target,
        RunFolder.create(folder, "fake", "resilience"),
        plan,
        deployment=deployment,
        identity=identify(deployment),
    )
    with session.scenario("Somebody changes what operators have deployed"):
        seen = collect.make_drift(session)
        verdict = session.judge("OPS-2")
    session.close()
    return Tried(seen, verdict)


def test_canaries_are_put_right_and_what_the_limits_refuse_is_left_out_and_named(
    platform: Platform, tmp_path: Path
) -> None:
    """With one instance at most to be down, a Service with two behind it stays, and the verdict says so."""
    before = platform.facts()
    trial = tried(platform, tmp_path)
    assert trial.of("drift") == [*KEYS, MORE]
    assert trial.of("drift.not_tried") == [SERVICE]
    assert trial.verdict.outcome is Outcome.CONFORMS
    assert f"not tried: {SERVICE}" in trial.verdict.because
    platform.settle()
    assert platform.facts() == before
    assert not [request for request in platform.requests if request.startswith("delete Service")]


def test_a_service_is_tried_last_where_the_limits_allow_it(platform: Platform, tmp_path: Path) -> None:
    before = platform.facts()
    trial = tried(platform, tmp_path, most=3)
    assert trial.of("drift") == [*KEYS, MORE, SERVICE]
    assert trial.verdict.outcome is Outcome.CONFORMS
    platform.settle()
    assert platform.facts() == before


@pytest.mark.parametrize("operator", ["mariadb", "rabbitmq", "keystone"])
def test_an_operator_that_corrects_nothing_is_found_and_all_taken_back(
    platform: Platform, tmp_path: Path, operator: str
) -> None:
    """Its objects are named, those of the others conform, and nothing of ours stays although it does not work."""
    before = platform.facts()
    works: Callable[[str], bool] = platform._works
    platform._works = lambda name: works(name) and not name.startswith(operator)  # type: ignore[method-assign]
    trial = tried(platform, tmp_path)
    assert trial.verdict.outcome is Outcome.VIOLATES
    culprit = dict(zip(["mariadb", "rabbitmq", "keystone"], [*KEYS, MORE], strict=True))[operator]
    assert trial.verdict.violating == (culprit,)
    platform.settle()
    assert platform.facts() == before


def test_whoever_may_not_read_config_maps_is_told_what_was_not_tried(platform: Platform, tmp_path: Path) -> None:
    """The rest is tried all the same."""

    def forbid(request: str) -> None:
        if request == "list ConfigMap":
            message = "the platform forbids GET configmaps"
            raise NotPermitted(message)

    platform.before = forbid
    trial = tried(platform, tmp_path)
    assert trial.of("drift") == [MORE]
    assert trial.of("drift.not_tried") == ["namespace/openstack", SERVICE]
    assert "the platform forbids GET configmaps" in trial.verdict.because


def test_a_grant_that_forbids_it_leaves_nothing_to_judge(platform: Platform, tmp_path: Path) -> None:
    """Nothing is touched, and that is not a pass."""
    trial = tried(platform, tmp_path, grant=Grant.MUTATE)
    assert trial.of("drift") == []
    assert trial.verdict.outcome is Outcome.INCONCLUSIVE
    assert not [request for request in platform.requests if request.split()[0] in ("patch", "delete", "create")]
