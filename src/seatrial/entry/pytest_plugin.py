"""The pytest door: options, the fixture ``trial``, selection by promise, and the category *inconclusive*.

Loaded into every pytest run on a machine where Seatrial is installed; unless a module carries the marker ``suite`` it
does nothing at all. What it wires together is in ``entry.trial`` and ``engine``; clients are imported for a suite only.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from seatrial.engine import ending
from seatrial.entry.settling import Inconclusive, Violated
from seatrial.model.errors import BadInput, NotPermitted, Problem, SeatrialError, UndoFailed, Unreachable

if TYPE_CHECKING:
    from seatrial.engine.session import Session
    from seatrial.entry.trial import Trial

INCONCLUSIVE = "inconclusive"
_NOT_RESTORED = 4
"""``Exit.NOT_RESTORED``; what it comes from is imported for a trial only."""
_MARKERS = (
    "suite(name): the module's scenarios are tried on --target; a run of all of them has this name",
    "requirement(id): the promise that a scenario judges",
    "seatrial_tag(name): a tag of the feature, for the plugin",
    "observe: reads only",
    "mutate: changes the deployment unnoticeably, and takes it back",
    "disrupt: breaks something on purpose, and takes it back",
    "slow: takes more than a minute",
)
_TRIAL: pytest.StashKey[Trial] = pytest.StashKey()
_HEARD: pytest.StashKey[ExitStack] = pytest.StashKey()
_COLLECTED: pytest.StashKey[int] = pytest.StashKey()
_COUNTER = itertools.count()
_SPLITTING = {
    "numprocesses": "-n",
    "tx": "--tx",
    "workers": "--workers",
    "splits": "--splits",
    "reruns": "--reruns",
    "count": "--count",
    "flake_finder_enable": "--flake-finder",
}
"""Options of well-known plugins that would run parts of a trial elsewhere, or again."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add Seatrial's options."""
    group = parser.getgroup("seatrial", "trials of an OpenStack control plane on Kubernetes")
    group.addoption("--target", type=Path, metavar="FILE", help="the deployment to try")
    group.addoption("--suite", metavar="NAME", help="only the scenarios of this suite (default: all)")
    group.addoption("--requirement", action="append", default=[], metavar="ID", help="only what judges this promise")
    group.addoption("--run-dir", type=Path, metavar="DIR", help="the run's folder (default: a new one in reports/)")
    group.addoption("--seed", type=int, metavar="N", help="seed of every random choice (default: 1)")
    group.addoption("--refusal-file", type=Path, help="where a caller reads why the trial was refused")
    group.addoption("--plan-file", type=Path, help="where a caller reads what would run")
    group.addoption("--lifeline", type=int, metavar="FD", help="end the trial in good order when this pipe closes")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; on a trial, take charge of the features' tags."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    if config.getoption("target"):
        _refuse_to_split(config)
    if config.getoption("target") or config.getoption("plan_file"):
        from seatrial.entry.guard import guard  # noqa: PLC0415  (a session without a trial needs nothing of it)

        guard(config)
        config.pluginmanager.register(_AllTags(), "seatrial-tags")
        # A library's deprecation must not decide about a deployment, whatever the project around the suites says.
        config.addinivalue_line("filterwarnings", "default")


class _AllTags:
    """Keeps tags that nobody knows from ending the collection: the plan reports them all at once, with near misses."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_bdd_apply_tag(self, tag: str, function: Any) -> bool | None:
        """Claim what is no known tag; it is kept for the plan all the same."""
        if tag.partition(":")[0] in {marker.partition(":")[0].partition("(")[0] for marker in _MARKERS}:
            return None
        _keep(tag, function)
        return True


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_bdd_apply_tag(tag: str, function: Any) -> bool | None:
    """Turn ``requirement:ID`` into the marker ``requirement("ID")``, and keep every tag for the plan."""
    _keep(tag, function)
    kind, colon, name = tag.partition(":")
    if kind == "requirement" and colon:
        pytest.mark.requirement(name)(function)
        return True
    return None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Remember the order in which tests were found: a trial keeps it, whatever else is shuffled."""
    item.stash[_COLLECTED] = next(_COUNTER)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Select by suite, promise and grant, and refuse what is wrong with the selection."""
    if not any(item.get_closest_marker("suite") for item in items):
        if config.getoption("requirement") or config.getoption("suite"):
            _refuse(config, _nothing_selected())
        return
    if hasattr(config, "workerinput"):
        # Without a target the process that started this worker could not know: each test says so (below).
        return
    _refuse_to_split(config)
    from seatrial.entry.trial import Options, Trial  # noqa: PLC0415  (clients are imported only for a suite)

    seed = config.getoption("seed")
    options = Options(
        target=config.getoption("target"),
        suite=config.getoption("suite"),
        requirements=tuple(word.upper() for word in config.getoption("requirement")),
        run_dir=config.getoption("run_dir"),
        seed=1 if seed is None else seed,
        out=config.rootpath / "reports",
    )
    trial = config.stash[_TRIAL] = Trial(options)
    try:
        kept = trial.select(sorted(items, key=lambda item: item.stash[_COLLECTED]))
        if config.getoption("plan_file"):
            trial.write_plan(config.getoption("plan_file"))
    except SeatrialError as error:
        _refuse(config, error)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    for item in kept:
        if item.nodeid in trial.not_tried:
            item.add_marker(pytest.mark.skip(reason=f"not tried: {trial.not_tried[item.nodeid].why}"))
    items[:] = kept


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Open the trial, once everything that can be known without the deployment is in order."""
    config = session.config
    trial = config.stash.get(_TRIAL, None)
    if trial is None or config.option.collectonly or session.testsfailed:
        return
    try:
        trial.open()
    except SeatrialError as error:
        _refuse(config, error)
    config.stash[_HEARD] = stack = ExitStack()
    stack.enter_context(ending.heard(still_open=trial.need().still_open))
    lifeline = config.getoption("lifeline")
    if lifeline is not None:
        threading.Thread(target=_watch, args=(lifeline,), name="lifeline", daemon=True).start()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let no scenario run in a process that holds a part of the tests only."""
    if hasattr(item.config, "workerinput") and item.get_closest_marker("suite") is not None:
        pytest.fail(str(_split("-n")), pytrace=False)


@pytest.fixture(scope="session")
def trial(pytestconfig: pytest.Config) -> Session:
    """Return the trial's session: the one thing that step definitions hand to the library."""
    held = pytestconfig.stash.get(_TRIAL, None)
    if held is None:
        pytest.fail("the fixture `trial` exists only in modules with the marker `suite`", pytrace=False)
    return held.need()


@pytest.hookimpl(optionalhook=True)
def pytest_bdd_before_scenario(request: pytest.FixtureRequest, feature: Any, scenario: Any) -> None:
    """Open the engine's scenario around the steps."""
    held = _of(request.node)
    if held is not None:
        held.enter(scenario.name)


@pytest.hookimpl(optionalhook=True)
def pytest_bdd_after_scenario(request: pytest.FixtureRequest, feature: Any, scenario: Any) -> None:
    """Close it: whatever the steps hurt is taken back, whatever ended them."""
    held = _of(request.node)
    if held is not None:
        held.leave()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell *inconclusive* from *violates*, and note requirements whose scenario broke off."""
    report = yield
    if call.excinfo is None or report.outcome == "skipped":
        return report
    error, held = call.excinfo.value, _of(item)
    if isinstance(error, Inconclusive):
        report.seatrial = INCONCLUSIVE  # type: ignore[attr-defined]  # pytest keeps extra attributes of a report
    if held is None or isinstance(error, Violated):
        return report
    # Whatever else ends a scenario ends it before anything could be judged: that is no violation.
    report.seatrial = INCONCLUSIVE  # type: ignore[attr-defined]
    held.broke_off(item.nodeid, f"broke off: {_first_line(error)}")
    if isinstance(error, NotPermitted | Unreachable | UndoFailed):
        report.longrepr = str(error)
    if isinstance(error, UndoFailed):
        held.failure = error
        item.session.shouldstop = "the target could not be restored"
    return report


def pytest_report_teststatus(report: Any, config: pytest.Config) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Give *inconclusive* its own letter and count; it is a failure to pytest, never passed or skipped."""
    if getattr(report, "seatrial", None) != INCONCLUSIVE:
        return None
    return INCONCLUSIVE, "I", ("INCONCLUSIVE", {"yellow": True})


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """End the run: take everything back, merge the verdicts, write the reports."""
    trial = session.config.stash.get(_TRIAL, None)
    if trial is None or trial.session is None:
        return
    why = ending.asked()
    ended = ("interrupted: " + why if why else "interrupted") if exitstatus == pytest.ExitCode.INTERRUPTED else ""
    with session.config.stash[_HEARD]:
        trial.close(cut_short=ended or str(session.shouldfail or "") or None)
    if trial.left:
        # As `seatrial run` ends: whatever the tests said, somebody has to act now.
        session.exitstatus = _NOT_RESTORED
    elif trial.broken:
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Seal the run, when nothing more is written; whoever attends this process seals what it writes itself."""
    trial = config.stash.get(_TRIAL, None)
    if trial is not None and trial.session is not None and config.getoption("lifeline") is None:
        from seatrial.entry.places import seal  # noqa: PLC0415

        seal(trial.session.folder)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show what was inconclusive, what could not be restored, and where the report is."""
    reports = terminalreporter.stats.get(INCONCLUSIVE, [])
    if reports:
        terminalreporter.section("INCONCLUSIVE", yellow=True)
        for report in reports:
            terminalreporter.write_line(f"{report.nodeid}", yellow=True)
            terminalreporter.write_line(f"  {report.longreprtext}")
    trial = config.stash.get(_TRIAL, None)
    if trial is None or trial.session is None:
        return
    terminalreporter.section("seatrial")
    from seatrial.entry.showing import closing_lines  # noqa: PLC0415  (pytest is on the command line of much else)

    for line in closing_lines(trial.session.folder.path):
        terminalreporter.write_line(line)


def _keep(tag: str, function: Any) -> None:
    """Remember a tag on the test that it belongs to."""
    pytest.mark.seatrial_tag(tag)(function)


def _of(item: pytest.Item) -> Trial | None:
    """Return the trial, if this item is one of its scenarios."""
    trial = item.config.stash.get(_TRIAL, None)
    return trial if trial is not None and trial.session is not None and item.nodeid in trial.planned else None


def _refuse_to_split(config: pytest.Config) -> None:
    """One deployment, one trial: faults must neither meet each other nor happen again because something failed."""
    given = [flag for name, flag in _SPLITTING.items() if config.getoption(name, None) not in (None, False, 0, 1, [])]
    if given:
        _refuse(config, _split(", ".join(given)))


def _split(flags: str) -> BadInput:
    return BadInput([Problem(flags, "a trial split or repeated", "one deployment, one trial: each scenario once")])


def _nothing_selected() -> BadInput:
    return BadInput(
        [Problem("--suite, --requirement", "no suite among what was collected", "a suite, for example suites/")]
    )


def _refuse(config: pytest.Config, error: SeatrialError) -> None:
    """End pytest with the message alone: no traceback, nothing touched."""
    path = config.getoption("refusal_file")
    if path is not None:
        from seatrial.entry.refusal import write  # noqa: PLC0415

        write(path, error)
    from seatrial.journal.sieve import shown  # noqa: PLC0415

    raise pytest.UsageError(*shown(str(error)).splitlines()) from error


def _first_line(error: BaseException) -> str:
    lines: Sequence[str] = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}" if not isinstance(error, pytest.fail.Exception) else lines[0]


def _watch(descriptor: int) -> None:
    """Wait until the other end of the pipe is gone: whoever started this trial has died."""
    while os.read(descriptor, 1):
        pass
    ending.ask("the command that started this trial has ended")
