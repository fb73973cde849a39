"""What each suite needs of a target's owner, over the features as they are."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from pytest_bdd.feature import get_features

from seatrial.catalogue.loader import catalogue
from seatrial.engine.plan import REQUIREMENT, SUITES, Planned, needed_grant, plan_problems, tag_problems
from seatrial.model.requirement import RequirementId
from seatrial.model.target import Grant

FEATURES = Path(__file__).parents[2] / "features"


@cache
def scenarios() -> tuple[Planned, ...]:
    """Every scenario of the project, with the tags that it has and inherits."""
    found = []
    for feature in get_features([str(FEATURES)]):
        for template in feature.scenarios.values():
            tags = frozenset(feature.tags | template.tags | (template.rule.tags if template.rule else set()))
            ids = [RequirementId(tag.removeprefix(REQUIREMENT)) for tag in tags if tag.startswith(REQUIREMENT)]
            found.append(Planned(template.name, feature.name or "", tuple(ids), tags))
    return tuple(found)


def suite(name: str) -> list[Planned]:
    return [planned for planned in scenarios() if planned.belongs_to(name)]


def judged(planned: list[Planned]) -> set[str]:
    return {requirement for one in planned for requirement in one.requirements}


@pytest.mark.parametrize(
    ("name", "grant"),
    [("conformance", Grant.MUTATE), ("resilience", Grant.DISRUPT), ("acceptance", Grant.DISRUPT)],
)
def test_a_suite_needs_the_grant_that_readme_says(name: str, grant: Grant) -> None:
    """No scenario of the calm suite breaks anything, and none of the other is calm."""
    assert needed_grant(suite(name)) is grant
    assert set(SUITES) == {"conformance", "resilience", "acceptance"}


@pytest.mark.parametrize("grant", list(Grant))
@pytest.mark.parametrize("name", list(SUITES))
def test_with_every_grant_a_suite_is_what_the_owner_allows_and_the_rest(name: str, grant: Grant) -> None:
    """Nothing is lost between what is tried and what is listed as not tried; an owner who lets look sees something."""
    whole = suite(name)
    allowed = [planned for planned in whole if grant.includes(planned.grant)]
    left_out = [planned for planned in whole if not grant.includes(planned.grant)]
    assert len(allowed) + len(left_out) == len(whole)
    assert bool(allowed) == (grant is Grant.DISRUPT or name != "resilience")
    assert all(planned.grant is Grant.OBSERVE for planned in allowed) or grant is not Grant.OBSERVE
    assert bool(left_out) == (not grant.includes(needed_grant(whole)))


def test_whoever_only_lets_look_learns_whether_conditions_tell_the_truth() -> None:
    """Reading them costs nobody anything; drift is for whoever lets break."""
    judging = {planned.scenario: planned.grant for planned in scenarios() if "OPS-2" in planned.requirements}
    assert sorted(judging.values()) == [Grant.DISRUPT, Grant.OBSERVE]
    assert "OPS-2" in judged(suite("conformance")) & judged(suite("resilience"))


def test_acceptance_tries_every_promise_once_in_each_of_its_scenarios() -> None:
    """Both suites together are all there is, and nothing of one is in the other."""
    names = [[planned.scenario for planned in suite(name)] for name in ("conformance", "resilience", "acceptance")]
    assert sorted(names[0] + names[1]) == sorted(names[2])
    assert judged(suite("acceptance")) == {requirement.id for requirement in catalogue()}


def test_every_scenario_says_what_it_needs_and_judges() -> None:
    assert not plan_problems(scenarios())
    for planned in scenarios():
        assert not tag_problems(planned.tags, planned.scenario)
        assert planned.tags & set(Grant)
