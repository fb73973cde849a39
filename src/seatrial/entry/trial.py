"""The trial that a pytest session holds: which scenarios were selected, the engine's session, and how it ended."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from seatrial.catalogue.loader import find
from seatrial.engine.ending import shielded
from seatrial.engine.plan import REQUIREMENT, Planned, needed_grant, plan_problems, requirements_of, tag_problems
from seatrial.engine.session import COMPLETE, Session
from seatrial.entry.target import load_target
from seatrial.journal.folder import RunFolder
from seatrial.model.errors import BadInput, HarnessBug, Problem, SeatrialError, UndoFailed
from seatrial.model.requirement import RequirementId

_SUITE = "suite"
_TAG = "seatrial_tag"
_EXAMPLE = "_pytest_bdd_example"
_PLACEHOLDER = re.compile("<(.+?)>")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said."""

    target: Path | None
    requirements: tuple[str, ...]
    run_dir: Path | None
    seed: int
    out: Path


@dataclass(slots=True)
class Trial:
    """What the plugin keeps while pytest runs."""

    options: Options
    planned: dict[str, Planned] = field(default_factory=dict)
    """By pytest's node id."""
    suites: tuple[str, ...] = ()
    session: Session | None = None
    failure: SeatrialError | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def select(self, items: list[pytest.Item]) -> list[pytest.Item]:
        """Return the items that stay selected; raises BadInput for everything wrong with the selection at once."""
        wanted = {requirement.id for requirement in find(self.options.requirements)}
        ours = [item for item in items if item.get_closest_marker(_SUITE) is not None]
        problems: list[Problem] = []
        dropped: set[str] = set()
        for item in ours:
            planned = planned_of(item)
            problems += tag_problems(planned.tags, item.nodeid)
            if wanted and not wanted & set(planned.requirements):
                dropped.add(item.nodeid)
            else:
                self.planned[item.nodeid] = planned
        if wanted and not self.planned and not problems:
            judged = sorted({str(r) for item in ours for r in planned_of(item).requirements})
            problems.append(
                Problem("--requirement", f"no scenario here for {', '.join(sorted(wanted))}", ", ".join(judged))
            )
        else:
            problems += plan_problems(list(self.planned.values()))
        if problems:
            raise BadInput(problems)
        marks = [mark for item in ours if item.nodeid not in dropped for mark in item.iter_markers(_SUITE)]
        self.suites = tuple(dict.fromkeys(str(mark.args[0]) for mark in marks))
        return [item for item in items if item.nodeid not in dropped]

    def write_plan(self, path: Path) -> None:
        """Leave the plan where the command that asked for it looks."""
        entries = [
            {
                "scenario": entry.scenario,
                "feature": entry.feature,
                "requirements": list(entry.requirements),
                "tags": sorted(entry.tags),
                "grant": entry.grant.value,
            }
            for entry in self.planned.values()
        ]
        path.write_text(json.dumps(entries), encoding="utf-8")

    def open(self) -> None:
        """Open the engine's session for what was selected; raises BadInput, NotPermitted or Unreachable."""
        if self.options.target is None:
            accepted = "--target FILE: the deployment to try (`seatrial-lab target` prints one for the lab)"
            raise BadInput([Problem("--target", "no target", accepted)])
        target = load_target(self.options.target)
        planned = list(self.planned.values())
        self.session = Session.open(
            target,
            suite="+".join(self.suites),
            seed=self.options.seed,
            out=self.options.out,
            requirements=requirements_of(planned),
            scenarios=[entry.scenario for entry in planned],
            grant=needed_grant(planned),
            folder=_given_folder(self.options.run_dir),
            target_file=self.options.target,
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
            report(session.folder)


def planned_of(item: pytest.Item) -> Planned:
    """Return what a collected scenario is: its name as it will run, its feature, its requirements and tags.

    pytest-bdd documents each test as ``<feature file>: <scenario>``, with an outline's placeholders still in it.
    """
    function = getattr(item, "function", None)
    feature, _, template = (getattr(function, "__doc__", None) or item.name).rpartition(".feature: ")
    callspec = getattr(item, "callspec", None)
    example = callspec.params.get(_EXAMPLE, {}) if callspec is not None else {}
    scenario = _PLACEHOLDER.sub(lambda match: str(example.get(match[1], match[0])), template)
    tags = {str(mark.args[0]) for mark in item.iter_markers(_TAG)}
    requirements = [tag.removeprefix(REQUIREMENT) for tag in sorted(tags) if tag.startswith(REQUIREMENT)]
    return Planned(scenario, Path(feature).stem, tuple(map(RequirementId, requirements)), frozenset(tags))


def report(folder: RunFolder) -> None:
    """Write everything that people read from a run that has ended, and the hashes of all of it."""
    from seatrial.reporting import write_all  # noqa: PLC0415  (drawing is loaded only when a run has ended)

    write_all(folder.path)


def _given_folder(path: Path | None) -> RunFolder | None:
    """Return the folder that the command line names for this run; it may exist, but hold no run."""
    if path is None:
        return None
    folder = RunFolder(path)
    if folder.run_json.exists() or folder.journal.exists():
        raise BadInput([Problem(f"--run-dir {path}", "a folder that holds a run already", "a new folder")])
    return RunFolder.given(path)
