"""Every check is seen to fail on the deployment that breaks its promise, names the culprit, and no other flips."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from seatrial.catalogue.loader import catalogue
from tests.conftest import Lab
from tests.trials import Trial, try_one_scenario, try_out

CHEAP = ("API-3", "DB-4", "OPS-1")
"""Requirements that are tried on every deviation; SEATRIAL_MATRIX=full tries all of the conformance suite."""


@dataclass(frozen=True)
class Case:
    """One deviation, and what is to be seen on it."""

    name: str
    breaks: str
    culprit: str
    """Part of a violating subject's name."""
    scenario: str = ""
    """For a promise of the resilience suite: words of the scenario that shows it."""
    flips: tuple[str, ...] = ()
    """Other requirements that are broken by the same deviation."""
    blinds: tuple[str, ...] = ()
    """Requirements that may not be possible to judge on it."""
    why: str = ""
    """Why they are, or may not be."""
    budgets: tuple[tuple[str, float], ...] = ()
    """Deadlines of the trial, in seconds, where waiting for the usual ones would show nothing more."""
    max_down: tuple[tuple[str, int], ...] = ()
    """What the owner allows besides, where the deviation leaves nothing to spare."""


CASES = (
    Case("foreign-table-reader", "API-1", "glance-table-reader"),
    Case("tokenless-keystone", "API-3", "keystone-tokenless"),
    Case("wsrep-off", "DB-4", "openstack-galera-"),
    Case(
        "single-database",
        "DB-5",
        "galera",
        scenario="database and killed",
        flips=("SCALE-1",),
        why="the database is a component too, and it then has one instance",
        max_down=(("galera", 1),),
    ),
    Case("classic-queues", "MSG-2", "rabbitmq", scenario="queue and killed"),
    Case("one-node-for-all", "SCALE-1", "keystone"),
    Case("orphan-operator", "OPS-1", "barbican"),
    Case(
        "drift-uncorrected",
        "OPS-2",
        "keystone",
        scenario="somebody and changes",
        budgets=(("operator_reconcile", 20), ("repair", 60)),
    ),
    Case(
        "lying-condition",
        "OPS-2",
        "memcached",
        blinds=("API-1",),
        why="Keystone calls the address of a Memcached that is gone, and nobody can say whose it was",
        budgets=(("operator_reconcile", 20),),
    ),
    Case("path-through-operator", "OPS-3", "path", scenario="operators and frozen"),
)


@pytest.fixture
def broken(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Case]:
    """A lab with one deviation in it, which is taken back afterwards."""
    case: Case = request.param
    lab.command("break", case.name)
    try:
        yield case
    finally:
        lab.command("mend", case.name)


def judge(case: Case, lab: Lab, out: Path) -> dict[str, Trial]:
    """Try the broken promise, and the others besides it; return each requirement's trial."""
    document = yaml.safe_load(lab.target.read_text())
    target = out / "target.yaml"
    limits = {**document["limits"], "max_down": {**document["limits"]["max_down"], **dict(case.max_down)}}
    target.write_text(yaml.safe_dump({**document, "budgets": dict(case.budgets), "limits": limits}))
    others = () if os.environ.get("SEATRIAL_MATRIX") == "full" else CHEAP
    if case.scenario:
        own = try_one_scenario("resilience", target, out / "own", case.scenario)
        rest = try_out("conformance", target, out, others)
    else:
        rest = own = try_out("conformance", target, out, (*others, case.breaks) if others else ())
    trials = dict.fromkeys(rest.outcomes, rest)
    return {**trials, **dict.fromkeys(own.outcomes, own)} if case.scenario else trials


@pytest.mark.parametrize("broken", CASES, ids=lambda case: case.name, indirect=True)
def test_a_broken_promise_is_seen_and_the_culprit_named(
    broken: Case, lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The requirement that a deviation breaks is *violates*, with the right subject; others conform, or it says why."""
    trials = judge(broken, lab, tmp_path)
    row = {requirement: trial.outcomes[requirement] for requirement, trial in sorted(trials.items())}
    line = f"{broken.name:24} " + "  ".join(f"{requirement}:{outcome}" for requirement, outcome in row.items())
    with capsys.disabled():
        sys.stdout.write(f"\n{line}{f'  ({broken.why})' if broken.why else ''}\n")
    verdict = trials[broken.breaks].verdicts[broken.breaks]
    assert verdict["outcome"] == "violates", verdict["because"]
    assert any(broken.culprit in subject for subject in verdict["violating"]), verdict
    allowed = {r: {"conforms", "inconclusive"} for r in broken.blinds} | {r: {"violates"} for r in broken.flips}
    allowed[broken.breaks] = {"violates"}
    flipped = [r for r, outcome in row.items() if outcome not in allowed.get(r, {"conforms"})]
    assert not flipped, {r: trials[r].verdicts[r]["because"] for r in flipped}


def test_every_requirement_has_a_deviation_that_breaks_it(lab: Lab) -> None:
    """The catalogue, the lab and the matrix name the same deviations."""
    promised = {name: requirement.id for requirement in catalogue() for name in requirement.violations}
    assert {case.name: case.breaks for case in CASES} == promised
    listed = lab.command("break")
    assert all(name in listed for name in promised)
