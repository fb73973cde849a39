"""The plugin in small complete projects: what it shows, what it refuses, and whom it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = "pytester"
_QUIET = ("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:locust")

FEATURE = """\
Feature: Small
  @requirement:{requirement} @{tag}
  Rule: Something holds
    Scenario: It holds
      Given something
      Then it holds
"""
SUITE = """\
import pytest
from pytest_bdd import given, scenarios, then
pytestmark = pytest.mark.suite("conformance")
scenarios("small.feature")
@given("something")
def something(): pass
@then("it holds")
def holds(trial): raise AssertionError("no scenario may run")
"""


def project(pytester: pytest.Pytester, *, requirement: str = "DB-5", tag: str = "observe") -> None:
    """Make a project with one suite of one scenario."""
    Path(pytester.path, "small.feature").write_text(FEATURE.format(requirement=requirement, tag=tag))
    pytester.makepyfile(test_small=SUITE)


def test_a_run_of_unrelated_tests_is_not_disturbed(pytester: pytest.Pytester) -> None:
    """Without a suite among what was collected the plugin is as if it were not there."""
    pytester.makepyfile("def test_a(): pass\ndef test_b(): assert False\n")
    result = pytester.runpytest(*_QUIET, "--strict-markers")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*seatrial*report*")


def test_features_of_other_projects_keep_their_own_tags(pytester: pytest.Pytester) -> None:
    """A tag that Seatrial does not know stays a marker of the project that uses it."""
    Path(pytester.path, "small.feature").write_text("@theirs\nFeature: F\n  Scenario: S\n    Given something\n")
    suite = "from pytest_bdd import given, scenarios\nscenarios('small.feature')\n@given('something')\ndef _(): pass\n"
    pytester.makepyfile(test_theirs=suite)
    pytester.makeini("[pytest]\nmarkers = theirs: of another project\n")
    pytester.runpytest(*_QUIET, "-m", "theirs", "--strict-markers").assert_outcomes(passed=1)


def test_each_outcome_ends_a_test_in_its_own_way(pytester: pytest.Pytester) -> None:
    """Conforms passes, violates fails, not applicable skips; inconclusive is none of these, but no success either."""
    pytester.makepyfile(
        """
        import pytest
        from seatrial.entry.settling import settle
        from seatrial.model.verdict import Outcome, Verdict

        @pytest.mark.parametrize("outcome", list(Outcome))
        def test_it(outcome):
            settle(Verdict("DB-5", outcome, "because so", (), ("pod/a/b",), ("o-1",)))
        """
    )
    result = pytester.runpytest(*_QUIET, "-rs")
    result.assert_outcomes(passed=1, failed=1, skipped=1)
    result.stdout.fnmatch_lines(["*= INCONCLUSIVE =*", "*test_it*inconclusive*", "*because so*", "*1 inconclusive*"])
    result.stdout.fnmatch_lines(["*violating: pod/a/b*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_only_inconclusive_is_no_success_either(pytester: pytest.Pytester) -> None:
    """A run that could not tell does not end with the status of one that could."""
    pytester.makepyfile(
        """
        from seatrial.entry.settling import settle
        from seatrial.model.verdict import Outcome, Verdict

        def test_it():
            settle(Verdict("DB-5", Outcome.INCONCLUSIVE, "nobody looked"))
        """
    )
    assert pytester.runpytest(*_QUIET).ret == pytest.ExitCode.TESTS_FAILED


def refused(pytester: pytest.Pytester, *options: str) -> str:
    """Run the project and return the one message with which it is refused, before any scenario."""
    result = pytester.runpytest(*_QUIET, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stderr.str()
    assert "Traceback" not in text + result.stdout.str()
    assert "no scenario may run" not in text + result.stdout.str()
    return text


def test_a_suite_without_a_target_says_what_is_missing(pytester: pytest.Pytester) -> None:
    """One clear message, no traceback, nothing touched."""
    project(pytester)
    assert "--target FILE" in refused(pytester)


def test_a_suite_with_a_bad_target_tells_everything_that_is_wrong_with_it(pytester: pytest.Pytester) -> None:
    """The message is that of the target's loader."""
    project(pytester)
    target = Path(pytester.path, "target.yaml")
    target.write_text("name: lab\ngrand: disrupt\nkubernetes: {kubeconfig: nowhere}\n")
    told = refused(pytester, "--target", str(target))
    assert "did you mean 'grant'" in told
    assert "nowhere: No such file" in told


def test_unknown_tags_are_refused_with_the_nearest(pytester: pytest.Pytester) -> None:
    """The list of tags is closed."""
    project(pytester, tag="obsrve")
    assert "did you mean 'observe'" in refused(pytester, "--target", "none.yaml")


def test_unknown_requirements_in_features_are_refused(pytester: pytest.Pytester) -> None:
    """A rule can't promise what the catalogue does not know."""
    project(pytester, requirement="DB-55")
    assert "did you mean 'DB-5'" in refused(pytester, "--target", "none.yaml")


def test_unknown_requirements_on_the_command_line_are_refused(pytester: pytest.Pytester) -> None:
    """A typo does not select nothing."""
    project(pytester)
    assert "did you mean 'OPS-3'" in refused(pytester, "--target", "none.yaml", "--requirement", "ops3")


def test_an_empty_selection_is_refused(pytester: pytest.Pytester) -> None:
    """A run of nothing is not a pass."""
    project(pytester)
    assert "no scenario here for OPS-3" in refused(pytester, "--target", "none.yaml", "--requirement", "OPS-3")


def test_selecting_by_promise_leaves_only_what_judges_it(pytester: pytest.Pytester) -> None:
    """What is collected can be looked at without a target."""
    project(pytester)
    result = pytester.runpytest(*_QUIET, "--collect-only", "-q", "--requirement", "DB-5")
    result.stdout.fnmatch_lines(["*test_it_holds*"])
    assert result.ret == pytest.ExitCode.OK
