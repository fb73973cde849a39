"""The trial that a pytest session holds: which scenarios were selected, the engine's session, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_bdd.scenario import scenario_wrapper_template_registry

from seatrial.catalogue.loader import find
from seatrial.engine.ending import shielded
from seatrial.engine.plan import (
    REQUIREMENT,
    SUITES,
    Planned,
    check_suite,
    needed_grant,
    plan_problems,
    requirements_of,
    tag_problems,
)
from seatrial.engine.session import Session
from seatrial.entry import crash, places
from seatrial.entry.refusal import gathering
from seatrial.entry.target import load_target
from seatrial.journal.folder import RunFolder
from seatrial.journal.reader import open_injections, scan
from seatrial.model.errors import BadInput, HarnessBug, Problem, SeatrialError, UndoFailed
from seatrial.model.requirement import RequirementId
from seatrial.model.run import COMPLETE, NotTried
from seatrial.model.target import Grant, Target

_SUITE = "suite"
_TAG = "seatrial_tag"
_EXAMPLE = "_pytest_bdd_example"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said."""

    target: Path | None
    suite: str | None
    requirements: tuple[str, ...]
    run_dir: Path | None
    seed: int
    out: Path


@dataclass(slots=True)
class Trial:
    """What the plugin keeps while pytest runs."""

    options: Options
    planned: dict[str, Planned] = field(default_factory=dict)
    """What is tried, by pytest's node id."""
    not_tried: dict[str, NotTried] = field(default_factory=dict)
    """What the target's owner does not allow, likewise."""
    target: Target | None = None
    suite: str = ""
    session: Session | None = None
    failure: SeatrialError | None = None
    left: bool = False
    """Something could not be taken back, also at the end."""
    broken: bool = False
    """Seatrial itself failed at the end of the run."""
    _lacking: list[Grant] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    def select(self, items: list[pytest.Item]) -> list[pytest.Item]:
        """Return the items that stay selected, calm ones first.

        Raises BadInput for everything that is wrong with the selection and the target, all at once. What the target's
        grant does not allow stays as well, to be shown as left out.
        """
        ours = {item.nodeid: planned_of(item) for item in items if item.get_closest_marker(_SUITE) is not None}
        problems = _seed_problems(self.options.seed)
        with gathering(problems):
            self.suite = self._suite(items)
        with gathering(problems):
            self.target = None if self.options.target is None else load_target(self.options.target)
        for nodeid, planned in ours.items():
            problems += tag_problems(planned.tags, nodeid)
        chosen: dict[str, Planned] = {}
        with gathering(problems):
            chosen = self._choose(ours)
            problems += plan_problems(list(chosen.values()))
        if problems:
            raise BadInput(problems)
        self._allow(chosen)
        rest = [item for item in items if item.nodeid not in ours]
        found = {item.nodeid: item for item in items}
        return rest + [found[nodeid] for nodeid in chosen]

    def _choose(self, ours: Mapping[str, Planned]) -> dict[str, Planned]:
        """Return what was asked for, by node id: calm scenarios first, each kind in the order of the features."""
        wanted = {requirement.id for requirement in find(self.options.requirements)}
        suite = self.options.suite
        in_suite = {n: p for n, p in ours.items() if suite is None or (suite in SUITES and p.belongs_to(suite))}
        chosen = {n: p for n, p in in_suite.items() if not wanted or wanted & set(p.requirements)}
        if wanted and not chosen:
            judged = sorted({str(requirement) for p in in_suite.values() for requirement in p.requirements})
            found = f"no scenario here for {', '.join(sorted(wanted))}"
            raise BadInput([Problem("--requirement", found, ", ".join(judged) or "another suite")])
        return dict(sorted(chosen.items(), key=lambda entry: entry[1].grant is Grant.DISRUPT))

    def _suite(self, items: list[pytest.Item]) -> str:
        if self.options.suite is not None:
            return check_suite(self.options.suite, "--suite")
        marks = [mark for item in items for mark in item.iter_markers(_SUITE)]
        return "+".join(dict.fromkeys(str(mark.args[0]) for mark in marks))

    def _allow(self, chosen: dict[str, Planned]) -> None:
        """Tell what is tried from what the target's owner does not allow."""
        granted = Grant.DISRUPT if self.target is None else self.target.grant
        for nodeid, planned in chosen.items():
            if granted.includes(planned.grant):
                self.planned[nodeid] = planned
            else:
                why = f"needs the grant {planned.grant.value}; the target grants {granted.value}"
                self.not_tried[nodeid] = NotTried(planned.scenario, planned.requirements, why)
                self._lacking.append(planned.grant)

    def write_plan(self, path: Path) -> None:
        """Leave the plan where the command that asked for it looks."""
        entries = [
            {
                "scenario": entry.scenario,
                "feature": entry.feature,
                "requirements": list(entry.requirements),
                "tags": sorted(entry.tags),
                "grant": entry.grant.value,
                "acts": list(entry.acts),
            }
            for entry in self.planned.values()
        ]
        left_out = [
            {"scenario": entry.scenario, "requirements": list(entry.requirements), "why": entry.why}
            for entry in self.not_tried.values()
        ]
        path.write_text(json.dumps({"scenarios": entries, "not_tried": left_out}), encoding="utf-8")

    def open(self) -> None:
        """Open the engine's session for what was selected; raises BadInput, NotPermitted or Unreachable."""
        if self.target is None:
            accepted = "--target FILE: the deployment to try (`seatrial-lab target` prints one for the lab)"
            raise BadInput([Problem("--target", "no target", accepted)])
        if not self.planned:
            needed = min(self._lacking, key=list(Grant).index)
            found = f"{self.target.grant.value}, with which nothing of this selection may run"
            raise BadInput([Problem("grant", found, f"{needed.value} (the target's owner sets it)")])
        if self.options.run_dir is None:
            places.check_out(self.options.out, "reports")
        planned = list(self.planned.values())
        self.session = Session.open(
            self.target,
            suite=self.suite,
            seed=self.options.seed,
            out=self.options.out,
            requirements=requirements_of(planned),
            scenarios=[entry.scenario for entry in planned],
            grant=needed_grant(planned),
            folder=_given_folder(self.options.run_dir),
            target_file=self.options.target,
            not_tried=list(self.not_tried.values()),
        )

    def need(self) -> Session:
        """Return the open session."""
        if self.session is None:
            msg = "a scenario runs before the trial was opened"
            raise HarnessBug(msg)
        return self.session

    def enter(self, scenario: str) -> None:
        """Open a scenario: what its steps observe is its evidence."""
        self._stack.enter_context(self.need().scenario(scenario))

    def leave(self) -> None:
        """Close the scenario: what it hurt is taken back; raises UndoFailed."""
        self._stack.close()

    def broke_off(self, nodeid: str, why: str) -> None:
        """Note that a scenario ended before its requirements were judged: each of them is *inconclusive*."""
        planned = self.planned[nodeid]
        session = self.need()
        for requirement in planned.requirements:
            if not session.judged(planned.scenario, requirement):
                session.could_not_tell(requirement, planned.scenario, f"{planned.scenario!r} {why}")

    def close(self, *, cut_short: str | None) -> None:
        """End the run and write its reports; what could not be restored is kept as the trial's failure."""
        session = self.session
        if session is None:
            return
        with shielded(last=True):
            with suppress(OSError):  # a journal that can't be written any more must not keep it from being taken back
                for nodeid in self.planned:
                    self.broke_off(nodeid, "did not run to its end")
            try:
                session.close(f"cut short: {cut_short}" if cut_short else COMPLETE)
            except UndoFailed as error:
                self.failure = error
            except Exception as error:  # our mistake; what is left behind is told all the same
                crash.told(error, debug=False)
                self.broken = True
            self.left = bool(open_injections(scan(session.folder.journal).events))
            self.broken = not places.tell(session.folder) or self.broken


def planned_of(item: pytest.Item) -> Planned:
    """Return what a collected scenario is: its name as it will run, its feature, its requirements, tags and acts."""
    callspec = getattr(item, "callspec", None)
    example = callspec.params.get(_EXAMPLE, {}) if callspec is not None else {}
    template = scenario_wrapper_template_registry.get(getattr(item, "function", item.runtest))
    tags = {str(mark.args[0]) for mark in item.iter_markers(_TAG)}
    requirements = [tag.removeprefix(REQUIREMENT) for tag in sorted(tags) if tag.startswith(REQUIREMENT)]
    promised = tuple(map(RequirementId, requirements))
    if template is None:
        return Planned(item.name, item.path.stem, promised, frozenset(tags))
    scenario = template.render(example)
    acts = tuple(step.name for step in scenario.steps if step.type == "when")
    return Planned(scenario.name, Path(scenario.feature.filename).stem, promised, frozenset(tags), acts)


def _seed_problems(seed: int) -> list[Problem]:
    return [] if seed >= 0 else [Problem("--seed", str(seed), "a whole number, 0 or greater")]


def _given_folder(path: Path | None) -> RunFolder | None:
    """Return the folder that the command line names for this run; it may exist, but hold no run."""
    if path is None:
        return None
    folder = RunFolder(path)
    if folder.run_json.exists() or folder.journal.exists():
        raise BadInput([Problem(f"--run-dir {path}", "a folder that holds a run already", "a new folder")])
    return RunFolder.given(path)
