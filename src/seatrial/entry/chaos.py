"""The chaostoolkit door: a control that opens and closes a trial, and the activities that experiments name.

An experiment names this module as a control, so that ``chaos run`` writes the same run folder and gives the same
verdicts as ``seatrial run``, and takes everything back however it ends. Its ``configuration``: ``target`` (a target
file), and if wanted ``requirements``, ``out`` and ``seed``. No fault is implemented here: ``lose`` does what the
scenarios do, and ``disrupt`` builds any of the faults that everybody uses.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click
from chaoslib.exceptions import ActivityFailed, InterruptExecution

from seatrial import faults
from seatrial.catalogue.loader import find
from seatrial.engine import collect
from seatrial.engine.collect import Attended, Loss
from seatrial.engine.disruption import Disruption
from seatrial.engine.ending import heard, shielded
from seatrial.engine.session import Session
from seatrial.entry.exit_status import Exit, of_error, of_run
from seatrial.entry.places import check_out, seal, tell
from seatrial.entry.target import load_target
from seatrial.journal.reader import open_injections, scan
from seatrial.journal.sieve import clean_json, shown
from seatrial.model.errors import BadInput, HarnessBug, Problem, SeatrialError, UndoFailed
from seatrial.model.observation import Json, Observation
from seatrial.model.run import COMPLETE, Run
from seatrial.model.target import Grant
from seatrial.model.verdict import Verdict

P = ParamSpec("P")
R = TypeVar("R")
UNTRIED = "untried"
_log = logging.getLogger("chaostoolkit")


@dataclass(slots=True)
class _Experiment:
    """The trial that this process holds while chaostoolkit runs one experiment."""

    session: Session
    requirements: tuple[str, ...]
    name: str
    stack: ExitStack = field(default_factory=ExitStack)
    signals: ExitStack = field(default_factory=ExitStack)
    """Ours instead of chaostoolkit's, which would interrupt a clean-up."""
    attended: Attended | None = None
    queues: tuple[Observation, ...] = ()
    hurts: list[Disruption[Any]] = field(default_factory=list)
    tried: bool = False
    verdicts: dict[str, Verdict] = field(default_factory=dict)


_RUNNING: list[_Experiment] = []
"""At most one: chaostoolkit runs one experiment a process, and hands its activities nothing that could carry it."""


def before_experiment_control(
    context: Mapping[str, Any], configuration: Mapping[str, Any] | None = None, **_: Any
) -> None:
    """Open the trial; stops the experiment before it begins when the target can't be tried."""
    _log.addFilter(_shown_only)
    try:
        _RUNNING.append(_open(str(context["title"]), configuration or {}))
    except SeatrialError as error:
        _end_with(of_error(error))
        raise InterruptExecution(shown(str(error))) from error


def _shown_only(record: logging.LogRecord) -> bool:
    """Take secrets out of what chaostoolkit logs, to the terminal and to a file of its own."""
    record.msg, record.args = shown(record.getMessage()), ()
    if record.exc_info:
        record.exc_text, record.exc_info = shown("".join(traceback.format_exception(*record.exc_info))), None
    return True


def _end_with(status: Exit) -> None:
    """Let `chaos run` end with a status of ours; it knows 0 and 1 only, and looks at its own journal alone.

    Its command is over by then and its journal written. Where chaostoolkit is a library, there is no command to end.
    """
    command = click.get_current_context(silent=True)
    if command is not None and status is not Exit.CONFORMS:
        command.find_root().call_on_close(lambda: sys.exit(status))


def after_experiment_control(context: Mapping[str, Any], state: dict[str, Any] | None = None, **_: Any) -> None:
    """Take everything back, end the run, write its reports and seal it; what is left fails the experiment."""
    if isinstance(state, dict):
        # It has the tracebacks of failed activities, and chaostoolkit writes it down where it was started.
        state |= {key: clean_json(value) for key, value in state.items()}
    if not _RUNNING:
        return
    running = _RUNNING.pop()
    folder = running.session.folder
    status = Exit.INTERNAL
    try:
        with running.signals, shielded(last=True):
            run = _close(running, str((state or {}).get("status")))
        told = tell(folder)
        status = of_run(run, left_behind=False, failed=not told) if run.verdicts or not told else Exit.CONFORMS
    except Exception:  # chaostoolkit passes over whatever a control raises
        _log.critical("a mistake in Seatrial itself", exc_info=True)
    seal(folder)
    if open_injections(scan(folder.journal).events):
        status = Exit.NOT_RESTORED
        _log.critical("take back what is left with: seatrial undo %s", folder.path)
    if status in (Exit.NOT_RESTORED, Exit.INTERNAL) and state is not None:
        state["status"] = "failed"
    _end_with(status)


def _close(running: _Experiment, status: str) -> Run:
    """End the run, whatever can't be taken back, and tell how it went."""
    session = running.session
    cut_short = f"cut short: the experiment was {status}"
    try:
        try:
            running.stack.close()
        finally:
            for requirement in find(running.requirements):
                if not session.judged(running.name, requirement.id):
                    session.could_not_tell(requirement.id, running.name, f"{running.name!r} ended without judging it")
            session.close(COMPLETE if status == "completed" else cut_short)
    except UndoFailed as error:
        _log.critical("the target could not be restored: %s", error)
    for verdict in session.verdicts():
        _log.info("%s %s: %s", verdict.outcome.value, verdict.requirement, verdict.because)
    _log.info("report: %s", session.folder.html)
    return session.close()


def _open(title: str, configuration: Mapping[str, Any]) -> _Experiment:
    known = ("target", "requirements", "out", "seed")
    problems = [
        Problem(f"configuration.{key}", "unknown key", ", ".join(known)) for key in configuration if key not in known
    ]
    file = configuration.get("target")
    if not isinstance(file, str) or not file:
        problems.append(Problem("configuration.target", repr(file), "the path of a target file"))
    wanted, seed = configuration.get("requirements", []), configuration.get("seed", 1)
    if not isinstance(wanted, list):
        problems.append(Problem("configuration.requirements", repr(wanted), "a list of requirement ids"))
    if not str(seed).isdigit():
        problems.append(Problem("configuration.seed", repr(seed), "a whole number"))
    if problems:
        raise BadInput(problems)
    out = Path(str(configuration.get("out", "reports")))
    check_out(out, "configuration.out")
    requirements = [
        requirement.id for requirement in find([str(word) for word in wanted], "configuration.requirements")
    ]
    session = Session.open(
        load_target(Path(str(file))),
        suite="chaos",
        seed=int(str(seed)),
        out=out,
        requirements=requirements,
        scenarios=[title],
        grant=Grant.DISRUPT,
        target_file=Path(str(file)),
    )
    running = _Experiment(session, tuple(requirements), title)
    running.signals.enter_context(heard(still_open=session.still_open))
    running.stack.enter_context(session.scenario(title))
    return running


def _activity(act: Callable[P, R]) -> Callable[P, R]:
    """Turn the library's errors into chaostoolkit's: an activity fails, and what can't be restored ends everything."""

    @wraps(act)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return act(*args, **kwargs)
        except UndoFailed as error:
            raise InterruptExecution(shown(str(error))) from error
        except SeatrialError as error:
            raise ActivityFailed(shown(str(error))) from error

    return told


def _running() -> _Experiment:
    if not _RUNNING:
        msg = "no trial is open: the experiment has to name seatrial.entry.chaos as a control"
        raise HarnessBug(msg)
    return _RUNNING[-1]


@_activity
def whole(component: str) -> bool:
    """Probe: tell whether every instance of a component (by service or workload name) is ready now."""
    found = [c for c in _running().session.inventory(fresh=True).components if component in (c.service, c.name)]
    return bool(found) and all(sum(r.ready for r in c.replicas) >= c.desired for c in found)


@_activity
def let_users_work() -> bool:
    """Action: start users at Keystone, until the experiment ends."""
    collect.let_users_work(_running().session)
    return True


@_activity
def keep_ledger() -> bool:
    """Action: start clients that keep a ledger and measure their paths."""
    running = _running()
    running.attended = collect.keep_ledger(running.session)
    return True


@_activity
def keep_message_ledger() -> bool:
    """Action: the same for messages alone; a broker is tried without writing to anything else."""
    running = _running()
    running.attended = collect.keep_message_ledger(running.session)
    return True


@_activity
def measure_paths() -> bool:
    """Action: start clients that measure their paths and write nothing down."""
    running = _running()
    running.attended = collect.measure_paths(running.session)
    return True


@_activity
def look_at_queues() -> bool:
    """Action: read what the broker says about its members and queues; tells whether all of it could be read."""
    running = _running()
    running.queues = collect.look_at_queues(running.session)
    return all(look.seen for look in running.queues)


@_activity
def lose(what: str, how: str) -> Json:
    """Action: lose an instance as the scenarios do, and hold it; returns the proof that it took hold.

    ``what``: ``active member of the database``, ``leading member of the broker`` or ``operators``; ``how``:
    ``deleted without a warning``, ``killed`` or ``frozen``.
    """
    running = _running()
    losses: Mapping[str, Callable[[Loss], Disruption[Any]]] = {
        "active member of the database": lambda loss: collect.lose_active_member(running.session, loss),
        "leading member of the broker": lambda loss: _lose_leading(running, loss),
        "operators": lambda loss: collect.lose_operators(running.session, loss),
    }
    problems = [
        Problem(f"arguments.{key}", repr(found), ", ".join(accepted))
        for key, found, accepted in (("what", what, list(losses)), ("how", how, [str(loss) for loss in Loss]))
        if found not in accepted
    ]
    if problems:
        raise BadInput(problems)
    disruption = losses[what](Loss(how))
    running.hurts.append(disruption)
    running.tried = True
    return disruption.held.value


def _lose_leading(running: _Experiment, loss: Loss) -> Disruption[Any]:
    if running.attended is None:
        raise BadInput([Problem("method", "a broker lost without clients", "keep_message_ledger before it")])
    return collect.lose_leading_member(running.session, loss, running.attended, running.queues)


@_activity
def disrupt(fault: str, parameters: Mapping[str, Json] | None = None, breaks_quorum: bool = False) -> Json:
    """Action: hurt the deployment with a fault by its name; returns the proof that it took hold.

    ``breaks_quorum``: to cost a cluster its majority is what the experiment tries.
    """
    running = _running()
    disruption = running.session.disrupt(faults.build(fault, parameters or {}), breaks_quorum=breaks_quorum is True)
    running.hurts.append(disruption)
    running.tried = True
    return disruption.held.value


@_activity
def regain() -> Json:
    """Action, also as a rollback: take back what is hurt, last first; returns the proofs that it is gone."""
    if not _RUNNING:
        # Rollbacks are played even when the trial could not be opened: then nothing is hurt.
        return []
    running = _running()
    proofs: list[Json] = []
    while running.hurts:
        proofs.append(collect.regain(running.session, running.hurts.pop()).value)
    return proofs


@_activity
def close_ledger() -> Sequence[str]:
    """Action: stop the clients and look for everything that was promised; returns what was recorded about it."""
    running = _running()
    if running.attended is None:
        return []
    return [f"{look.probe} {look.subject}" for look in collect.close_ledger(running.attended)]


@_activity
def verdict(requirement: str) -> str:
    """Probe: return the outcome for a requirement; ``untried`` until something was disrupted, then judged once."""
    running = _running()
    if not running.tried:
        return UNTRIED
    if requirement not in running.verdicts:
        [known] = find([requirement], "verdict.requirement")
        running.verdicts[requirement] = running.session.judge(known.id)
    return running.verdicts[requirement].outcome.value
