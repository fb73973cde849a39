"""The pytest door with a selection: suites by tag, calm first, what the owner allows, and never split or repeated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seatrial.entry import child

pytest_plugins = "pytester"
_QUIET = ("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:locust")

FEATURE = """\
Feature: Small
  @requirement:DB-5 @disrupt
  Rule: It outlives a loss
    Scenario Outline: It is <lost>
      Given something
      When a part of it is <lost>
      Then it holds
      Examples:
        | lost   |
        | killed |
        | frozen |
  @requirement:DB-4 @mutate
  Rule: It can be written to
    Scenario: It is written to
      Given something
      Then it holds
  @requirement:API-3 @observe
  Rule: It can be seen
    Scenario: It is seen
      Given something
      Then it holds
"""
SUITE = """\
import pytest
from pytest_bdd import given, parsers, scenarios, then, when
pytestmark = pytest.mark.suite("acceptance")
scenarios("small.feature")
@given("something")
def something(): pass
@when(parsers.parse("a part of it is {lost}"))
def hurt(lost): pass
@then("it holds")
def holds(trial): raise AssertionError("no scenario may run")
"""
TARGET = """\
name: small
kubernetes: {{kubeconfig: kubeconfig, context: c}}
cloud: {{clouds_yaml: clouds.yaml, name: small}}
grant: {grant}
"""
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: k, user: u}}]
clusters: [{name: k, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {token: t}}]
"""


def project(pytester: pytest.Pytester, grant: str = "observe") -> None:
    """Make a project with a suite of four scenarios, and a target with a grant."""
    here = Path(pytester.path)
    (here / "small.feature").write_text(FEATURE)
    pytester.makepyfile(test_small=SUITE)
    (here / "target.yaml").write_text(TARGET.format(grant=grant))
    (here / "kubeconfig").write_text(KUBECONFIG)
    (here / "clouds.yaml").write_text("clouds: {small: {auth: {auth_url: http://127.0.0.1:9, username: u}}}\n")


def planned(pytester: pytest.Pytester, *options: str) -> child.Collected:
    """Return the plan of the project."""
    plan = Path(pytester.path, "plan.json")
    result = pytester.runpytest(*_QUIET, "--collect-only", "-q", "--plan-file", str(plan), *options)
    assert result.ret == pytest.ExitCode.OK, result.stderr.str()
    return child.Collected(**json.loads(plan.read_text()))


def names(found: child.Collected) -> list[str]:
    return [entry["scenario"] for entry in found.scenarios]


def refused(pytester: pytest.Pytester, *options: str) -> str:
    """Return the message with which pytest refuses."""
    result = pytester.runpytest(*_QUIET, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "Traceback" not in result.stderr.str() + result.stdout.str()
    return result.stderr.str()


@pytest.mark.parametrize(
    ("suite", "held"),
    [
        ("conformance", ["It is written to", "It is seen"]),
        ("resilience", ["It is killed", "It is frozen"]),
        ("acceptance", ["It is written to", "It is seen", "It is killed", "It is frozen"]),
    ],
)
def test_a_suite_is_a_selection_by_tag_with_calm_things_first(
    pytester: pytest.Pytester, suite: str, held: list[str]
) -> None:
    """Every scenario is collected once, whatever the suite; what disrupts comes last."""
    project(pytester)
    assert names(planned(pytester, "--suite", suite)) == held


def test_without_a_suite_everything_is_selected(pytester: pytest.Pytester) -> None:
    """As `pytest suites` does."""
    project(pytester)
    assert len(names(planned(pytester))) == 4


def test_an_unknown_suite_is_refused_with_the_nearest(pytester: pytest.Pytester) -> None:
    """Together with what else is wrong."""
    project(pytester)
    told = refused(pytester, "--suite", "resilence", "--seed", "-1", "--target", "none.yaml")
    assert "did you mean 'resilience'" in told
    assert "--seed: found -1" in told


def test_a_shuffle_does_not_change_the_order_of_a_trial(pytester: pytest.Pytester) -> None:
    """Another plugin may shuffle what was collected: a trial is put in order again."""
    project(pytester)
    pytester.makeconftest("def pytest_collection_modifyitems(items): items.reverse()\n")
    assert names(planned(pytester)) == ["It is written to", "It is seen", "It is killed", "It is frozen"]


def test_the_plan_says_what_would_be_hurt(pytester: pytest.Pytester) -> None:
    """In the words of the scenario, with its examples filled in."""
    project(pytester)
    assert planned(pytester, "--requirement", "db-5").scenarios[0]["acts"] == ["a part of it is killed"]


def test_what_the_owner_does_not_allow_is_left_out_and_told(pytester: pytest.Pytester) -> None:
    """An owner who lets Seatrial look gets what can be seen, and a list of the rest."""
    project(pytester, grant="observe")
    found = planned(pytester, "--target", "target.yaml")
    assert names(found) == ["It is seen"]
    assert [entry["scenario"] for entry in found.not_tried] == ["It is written to", "It is killed", "It is frozen"]
    assert found.not_tried[1]["why"] == "needs the grant disrupt; the target grants observe"


def test_when_the_owner_allows_nothing_of_it_the_run_is_refused(pytester: pytest.Pytester) -> None:
    """A run of nothing is not a pass."""
    project(pytester, grant="mutate")
    told = refused(pytester, "--target", "target.yaml", "--suite", "resilience")
    assert "nothing of this selection may run; accepted: disrupt" in told


@pytest.mark.parametrize("dest", ["numprocesses", "reruns", "count", "flake_finder_enable", "splits"])
def test_a_trial_is_never_split_or_repeated(pytester: pytest.Pytester, dest: str) -> None:
    """Whatever plugin offers it: refused before anything is opened, but only for a trial."""
    project(pytester)
    pytester.makeconftest(
        f"def pytest_addoption(parser): parser.addoption('--again', dest={dest!r}, type=int, default=0)\n"
    )
    off = ("-p", "no:xdist")
    told = refused(pytester, *off, "--again", "2", "--target", "target.yaml")
    assert "a trial split or repeated" in told
    assert "a trial split or repeated" in refused(pytester, *off, "--again", "2")
    pytester.makepyfile(test_other="def test_a(): pass\n")
    assert pytester.runpytest(*_QUIET, *off, "--again", "2", "test_other.py").ret == pytest.ExitCode.OK


def test_many_processes_are_refused_in_one_line(pytester: pytest.Pytester) -> None:
    """The real plugin: nothing is started."""
    project(pytester)
    told = refused(pytester, "-n", "2", "--target", "target.yaml")
    assert "-n" in told
    assert "one deployment, one trial" in told


def test_the_suites_of_the_project_hold_each_scenario_once() -> None:
    """The real ones, as `seatrial plan` sees them."""
    found = child.collect("acceptance", [])
    assert len(set(names(found))) == len(found.scenarios) > 12
    grants = [entry["grant"] for entry in found.scenarios]
    assert grants == sorted(grants, key=lambda grant: grant == "disrupt")
    assert found.scenarios[0]["feature"] == "service_boundaries"
    features = Path(child.__file__).parents[3] / "features"
    assert {entry["feature"] for entry in found.scenarios} == {path.stem for path in features.rglob("*.feature")}
