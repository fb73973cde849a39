"""One trial of one deployment: ordering, journal, grants, limits and clean-up. All doors go through here."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar, cast

from seatrial import waiting
from seatrial.clients.deployment import Deployment
from seatrial.clients.kube import Rejected
from seatrial.discovery import discover
from seatrial.engine import judging, proving
from seatrial.engine.disruption import Disruption, F, Kept, Open, Scope, nothing_seen
from seatrial.engine.ending import shielded
from seatrial.engine.identity import Identity, identify
from seatrial.engine.limits import lacking_grant, limit_problems, refusal
from seatrial.engine.preflight import Finding, require
from seatrial.engine.presence import Presence
from seatrial.engine.rights import missing_rights
from seatrial.engine.rights import told as rights_told
from seatrial.engine.seeds import derived
from seatrial.engine.undo import describe, take_back
from seatrial.engine.versions import versions
from seatrial.journal.codec import encode
from seatrial.journal.folder import RunFolder, as_stored, save_text
from seatrial.journal.sieve import clean
from seatrial.journal.writer import JournalWriter
from seatrial.model.errors import BadInput, HarnessBug, NotPermitted, SeatrialError, UndoFailed, Unreachable
from seatrial.model.fault import Fault, Injection
from seatrial.model.inventory import Inventory
from seatrial.model.journal import Event, EventKind
from seatrial.model.limiting import EVERYTHING
from seatrial.model.observation import Evidence, Observation
from seatrial.model.requirement import RequirementId
from seatrial.model.run import COMPLETE, FORMAT, NotTried, Plan, Run
from seatrial.model.target import Grant, Target
from seatrial.model.verdict import Verdict

T = TypeVar("T")
_COUNTED = frozenset(("pod", "deployment", "statefulset", "daemonset", "replicaset"))
"""Kinds of which everything has to be known before anything is put into a deployment."""
_OBSERVER_KINDS = frozenset((EventKind.PHASE, EventKind.LOAD, EventKind.PATH))


class Session:
    """A trial in progress.

    It owns the order of a fault's verbs, writes the journal before the deployment is touched, and takes everything back
    when a scenario ends, whatever ended it. A session belongs to one thread; recording and noting may come from others.
    """

    def __init__(
        self, target: Target, folder: RunFolder, plan: Plan, *, deployment: Deployment, identity: Identity | None = None
    ) -> None:
        self.target = target
        self.identity = identity
        """Which deployment this is; without it nothing is put into it."""
        self.folder = folder
        self.plan = plan
        self.deployment = deployment
        self.tainted: str | None = None
        """Why something could not be taken back, once that has happened: then nothing more is injected."""
        self._journal = JournalWriter(folder.journal)
        self._lock = threading.RLock()
        self._scope: Scope | None = None
        self._open: list[Open] = []
        self._unwritten: list[tuple[EventKind, Mapping[str, object]]] = []
        self._inventory: tuple[Inventory, str] | None = None
        self._stale = True
        self._remembered: dict[str, tuple[Observation, ...]] = {}
        self._verdicts: dict[RequirementId, list[Verdict]] = {requirement: [] for requirement in plan.requirements}
        self._run = Run(folder.id, plan, datetime.now(UTC), None, versions(), ())
        self._presence: Presence | None = None
        self._judged = 0
        self._judged_in: set[tuple[str, RequirementId]] = set()
        self._closed = False

    @classmethod
    def open(
        cls,
        target: Target,
        *,
        suite: str,
        seed: int,
        out: Path,
        requirements: Sequence[RequirementId] = (),
        scenarios: Sequence[str] = (),
        grant: Grant = Grant.OBSERVE,
        folder: RunFolder | None = None,
        target_file: Path | None = None,
        not_tried: Sequence[NotTried] = (),
    ) -> Session:
        """Look at the target first, then begin a run below ``out`` (or in ``folder``).

        Raises BadInput or Unreachable when the target can't be tried, or another trial is on; nothing was written or
        touched then. ``grant`` is the strongest that the plan needs; ``target_file`` lets a later ``undo`` find the
        target again.
        """
        limits = {"*": target.limits.allowed("*"), **target.limits.max_down}
        budgets = waiting.budgets(target.budgets)
        deployment = Deployment(target)
        try:
            findings = require(deployment, grant)
            identity = _identity(deployment, grant)
            _require_known_limits(deployment, grant)
            plan = Plan(
                target.name,
                suite,
                seed,
                tuple(requirements),
                tuple(scenarios),
                grant.value,
                budgets,
                limits,
                tuple(not_tried),
            )
            place = folder or RunFolder.create(out, target.name, suite)
            session = cls(target, place, plan, deployment=deployment, identity=identity)
            session._show(grant, new=folder is None)
            try:
                session._begin(findings, target_file)
            except BaseException:
                # Nothing was touched yet: whoever comes next must not find a trial that never was.
                if session._presence is not None:
                    session._presence.end(whole=True)
                session._journal.close()
                raise
        except BaseException:
            deployment.close()
            raise
        return session

    def _begin(self, findings: Sequence[Finding], target_file: Path | None) -> None:
        """Write down how the run begins."""
        self.folder.save_run(self._run)
        known = {"identity": self.identity.as_data()} if self.identity is not None else {}
        pointer = _pointer(self.folder, target_file)
        opened = {"name": "opened", "run": self.folder.id, "format": FORMAT, **known, **pointer}
        self.note(EventKind.PHASE, opened)
        if self._presence is not None:
            self._presence.announce()
        for finding in findings:
            if finding.problem is None and finding.state.value != "ok":
                self.note(EventKind.PHASE, {"name": f"limited: {finding.what}: {finding.message}"})

    def _show(self, grant: Grant, *, new: bool) -> None:
        """Show a trial that may change the deployment on it, and keep others away; leave no trace when that fails."""
        if grant is Grant.OBSERVE:
            return
        presence = Presence(
            self.deployment,
            run=self.folder.id,
            suite=self.plan.suite,
            still_open=self.still_open,
            limited=lambda why: self.note(EventKind.PHASE, {"name": f"limited: {why}"}),
        )
        try:
            presence.begin()
        except BaseException:
            self._journal.close()
            if new:
                shutil.rmtree(self.folder.path)
            raise
        self._presence = presence

    @property
    def budgets(self) -> Mapping[str, float]:
        """Return every named deadline of this target, in seconds."""
        return self.plan.budgets

    @property
    def seed(self) -> int:
        """Return the seed that every random choice of this run derives from."""
        return self.plan.seed

    @property
    def journal(self) -> JournalWriter:
        """Return the run's journal, for what is written by the stretch rather than by the look: use ``note``."""
        return self._journal

    def note(self, kind: EventKind, data: Mapping[str, object]) -> Event:
        """Write down a phase, an interval of load or a stretch of a path; the other kinds are the engine's own."""
        if kind not in _OBSERVER_KINDS:
            msg = f"{kind.value} events are written by the engine itself"
            raise HarnessBug(msg)
        return self._journal.append(kind, data)

    def phase(self, name: str) -> None:
        """Write down that a stretch of the run begins, with the scenario that it belongs to."""
        scenario = {"scenario": self._scope.name} if self._scope is not None else {}
        self.note(EventKind.PHASE, {"name": name, **scenario})

    def inventory(self, *, fresh: bool = False) -> Inventory:
        """Return what the deployment consists of: as last seen, or as it is now (``fresh``, and after a disruption)."""
        if fresh or self._stale or self._inventory is None:
            inventory = as_stored(discover(self.deployment))
            path = self.folder.save_inventory(inventory)
            self._journal.append(EventKind.INVENTORY, {"file": path.name})
            self._inventory = (inventory, path.name)
            self._stale = False
        return self._inventory[0]

    @contextmanager
    def scenario(self, name: str) -> Iterator[Scope]:
        """Open a scenario: what is recorded inside is its evidence, and what it hurt is taken back when it ends."""
        if self._scope is not None:
            msg = f"scenario {name!r} begins inside {self._scope.name!r}"
            raise HarnessBug(msg)
        self._scope = Scope(name)
        self.phase("scenario")
        try:
            yield self._scope
        finally:
            # Hurts first, whatever ended the scenario: who watches may take its time to stop, the hurt must not wait.
            with ExitStack() as ending:
                ending.callback(self._leave)
                ending.callback(self._take_back_all, Kept.SCENARIO)
                ending.callback(self._scope.attendants.close)
                ending.callback(self._take_back_all, Kept.HURT)

    def _leave(self) -> None:
        self._scope = None

    def workplace(self, name: str) -> Path:
        """Return a new folder below the run's evidence for something that leaves files of its own."""
        number = sum(1 for entry in self.folder.evidence.iterdir() if entry.name.startswith(f"{name}-")) + 1
        place = self.folder.evidence / f"{name}-{number}"
        place.mkdir(mode=0o700)
        return place

    def during(self, attendant: AbstractContextManager[T]) -> T:
        """Let something go on beside the scenario's steps, until it ends and what was hurt has been taken back."""
        if self._scope is None:
            msg = "something is to go on beside a scenario, and there is none"
            raise HarnessBug(msg)
        return self._scope.attendants.enter_context(attendant)

    def record(self, observation: Observation) -> Observation:
        """Write an observation down, and count it to the evidence of the scenario that is running, as it is stored."""
        observation = as_stored(observation)
        with self._lock:
            self._write_down(observation)
            if self._scope is not None:
                self._scope.observations.append(observation)
        return observation

    def _write_down(self, observation: Observation) -> Observation:
        self._journal.append(EventKind.OBSERVATION, encode(observation))
        return observation

    def record_all(self, observations: Sequence[Observation]) -> tuple[Observation, ...]:
        """Write several observations down, in order."""
        return tuple(self.record(observation) for observation in observations)

    def remember(self, what: str, looks: tuple[Observation, ...]) -> tuple[Observation, ...]:
        """Keep what was seen for later scenarios that need the same; ``recall`` gives it back."""
        self._remembered[what] = looks
        return looks

    def recall(self, what: str) -> tuple[Observation, ...]:
        """Count to this scenario's evidence what another one saw; nothing, once something was hurt since."""
        looks = self._remembered.get(what, ())
        if self._scope is not None:
            self._scope.observations.extend(looks)
        return looks

    def disrupt(self, fault: F, *, breaks_quorum: bool = False) -> Disruption[F]:
        """Hurt the deployment, and return the hurt with the proof that it took hold.

        The undo recipe is on disk before the deployment is touched. Raises NotPermitted when the target's grant or
        limits do not allow it or the fault does not apply; nothing was touched then. If injecting fails it is taken
        back at once. ``breaks_quorum``: to cost a cluster its majority is what is tried.
        """
        return self._put(fault, Kept.HURT, breaks_quorum=breaks_quorum)

    def equip(self, fault: F, kept: Kept = Kept.RUN) -> Disruption[F]:
        """Put something of the harness's own into the deployment, once, until the run or the scenario ends.

        How it got there is in the journal, but is no evidence. Raises Unreachable when it does not come to life.
        """
        for known in self._open:
            if known.kept is kept and known.disruption.fault == fault and not known.failed:
                return cast("Disruption[F]", known.disruption)
        made = self._put(fault, kept)
        if not proving.says(made.held, "held"):
            self._take_back(self._find(made.injection))
            raise Unreachable(f"{describe(made.injection)} did not come to life: {made.held.error or made.held.value}")
        return made

    def _put(self, fault: F, kept: Kept, *, breaks_quorum: bool = False) -> Disruption[F]:
        injection, inventory = self._permitted(fault, kept, breaks_quorum=breaks_quorum)
        opened = Open(Disruption(fault, injection, nothing_seen(injection)), kept)
        try:
            with shielded():
                self._journal.append(EventKind.PREPARED, encode(injection))
                self._open.append(opened)
            if kept is Kept.HURT:
                self._stale = True
                self._remembered.clear()
            self._journal.append(EventKind.INJECTING, {"injection": injection.id})
            opened.began = monotonic()
            try:
                fault.inject(self.deployment, injection)
            except (NotPermitted, Rejected):
                opened.began = None  # it was answered: nothing is under way
                raise
            opened.began = None
            self._journal.append(EventKind.INJECTED, {"injection": injection.id})
            if kept is Kept.HURT and self._presence is not None:
                self._presence.hurt(injection, inventory)
            held = self._recorder(kept)(proving.held(self.deployment, fault, injection))
        except BaseException:
            if opened in self._open:
                self._take_back(opened)
            raise
        disruption = replace(opened.disruption, held=held)
        opened.disruption = disruption
        return cast("Disruption[F]", disruption)

    def _permitted(self, fault: Fault, kept: Kept, *, breaks_quorum: bool) -> tuple[Injection, Inventory]:
        """Prepare a fault and ask all who may say no; raises when somebody does, and nothing was touched then."""
        if self.tainted is not None:
            raise UndoFailed(f"nothing more is started: {self.tainted}")
        lacking = lacking_grant(self.target, fault.grant)
        if lacking is not None:
            raise NotPermitted(f"{fault.kind}: {lacking}")
        if self.identity is None:
            raise NotPermitted(f"{fault.kind}: the platform does not say which deployment this is")
        # What was seen a scenario ago may have changed by itself: limits are kept by how it is now.
        inventory = self.inventory(fresh=kept is Kept.HURT or self._stale)
        unread = next((gap for gap in inventory.gaps if gap.subject.partition("/")[0] in _COUNTED), None)
        if unread is not None:
            # Neither limits nor recipes can be made of what was seen only in part; the next time it is read anew.
            self._stale = True
            raise Unreachable(f"{fault.kind}: {unread.subject} could not be read: {unread.why}")
        reason = fault.applies(inventory)
        if reason is not None:
            raise NotPermitted(f"{fault.kind} does not apply: {reason}")
        missing = missing_rights(self.deployment, fault)
        if missing:
            told = rights_told(missing, self.target)
            raise NotPermitted(f"{fault.kind}: this account is not permitted to {told}")
        prepared = fault.prepare(self.deployment, inventory, self._next_seed(fault))
        injection = replace(prepared, deployment=self.identity.as_data())
        hurts = [known.disruption.injection for known in self._open]
        why = refusal(self.target, inventory, injection, hurts, grant=fault.grant, breaks_quorum=breaks_quorum)
        if why is not None:
            raise NotPermitted(f"{fault.kind}: {why}")
        stored = as_stored(injection)
        if (stored.recipe, stored.parameters) != (injection.recipe, injection.parameters):
            # In another process it could only be undone with what the journal has.
            raise NotPermitted(f"{fault.kind}: what undo needs holds what looks like a secret, and is not written down")
        return injection, inventory

    def repair(self, disruption: Disruption[Any], *, waited_s: float = 0.0) -> Observation:
        """Take a hurt back and return the proof that it is gone; raises UndoFailed, and then starts nothing more.

        What it is by then is looked at once more before. ``waited_s``: how long the deployment has had to repair itself
        already.
        """
        opened = self._find(disruption.injection)
        if opened.kept is Kept.HURT:
            self.look_again(disruption)
        return self._take_back(opened, waited_s=waited_s)

    def look_again(self, disruption: Disruption[Any]) -> None:
        """See once more whether a hurt still is one: how long it was held is part of the evidence."""
        if proving.says(disruption.held, "held"):
            self.record(proving.still_held(self.deployment, disruption.fault, disruption.injection))

    def _find(self, injection: Injection) -> Open:
        for known in self._open:
            if known.disruption.injection.id == injection.id:
                return known
        msg = f"{describe(injection)} is not open"
        raise HarnessBug(msg)

    def still_open(self) -> tuple[str, ...]:
        """Return what is in the deployment and not proven gone, a line each."""
        return tuple(describe(known.disruption.injection) for known in self._open)

    def judge(self, requirement: RequirementId | str) -> Verdict:
        """Let the requirement's check judge what this scenario observed; the evidence is stored before it does."""
        scope = self._scope
        if scope is None:
            msg = f"{requirement} is judged outside a scenario"
            raise HarnessBug(msg)
        requirement = RequirementId(requirement)
        try:
            self.inventory()
        except SeatrialError as error:
            verdict = judging.blind(requirement, f"the deployment could not be read: {error}", scope.observations)
            return self._conclude(scope.name, verdict, None)
        if self._inventory is None:
            msg = "there is no inventory after taking one"
            raise HarnessBug(msg)
        inventory, file = self._inventory
        evidence = Evidence(requirement, inventory, tuple(scope.observations), self.budgets)
        event = self._journal.append(
            EventKind.EVIDENCE,
            {
                "requirement": requirement,
                "scenario": scope.name,
                "inventory": file,
                "observations": [observation.id for observation in evidence.observations],
            },
        )
        verdict = judging.judge(evidence, attach=self._attach)
        self._judged += 1
        judging.save_evidence(self.folder, self._judged, evidence, verdict, file)
        return self._conclude(scope.name, verdict, event.seq)

    def judged(self, scenario: str, requirement: RequirementId) -> bool:
        """Tell whether this scenario has led to a verdict on this requirement."""
        return (scenario, requirement) in self._judged_in

    def could_not_tell(self, requirement: RequirementId, scenario: str, why: str) -> Verdict:
        """Write down that a scenario ended before a check could judge: *inconclusive*, by the engine itself."""
        return self._conclude(scenario, judging.blind(requirement, why), None)

    def verdicts(self) -> tuple[Verdict, ...]:
        """Return one verdict per requirement, merged over the scenarios so far."""
        return tuple(judging.merged(requirement, found) for requirement, found in self._verdicts.items())

    def close(self, state: str = COMPLETE) -> Run:
        """Take everything back, write the verdicts down, end the run; raises UndoFailed when that is not possible.

        What could not be taken back before is tried once more. ``state``: ``complete``, or why it was cut short.
        """
        if self._closed:
            return self._run
        failure: BaseException | None = None
        with shielded():
            try:
                self._take_back_all(*Kept, again=True)
            except BaseException as error:  # raised below, when all else is done
                failure = error
            ended = state
            if self.tainted is not None:
                ended = f"cut short: {self.tainted}" + ("" if self._open else ", and was when the run ended")
            try:
                if self._presence is not None:
                    self._presence.end(whole=not self._open, state=ended)
            except Exception as error:  # the run has ended all the same, and is to be written down
                failure = failure or error
            self._write(EventKind.ENDED, {"reason": ended})
            self._write_again()
            self._run = replace(self._run, ended_at=datetime.now(UTC), verdicts=self.verdicts(), state=ended)
            with suppress(OSError):
                self.folder.save_run(self._run)
            self._journal.close()
            self.deployment.close()
            self._closed = True
        if failure is not None:
            raise failure
        return self._run

    def _conclude(self, scenario: str, verdict: Verdict, evidence: int | None) -> Verdict:
        verdict = as_stored(verdict)
        self._journal.append(
            EventKind.VERDICT, {"scenario": scenario, "verdict": encode(verdict), "evidence": evidence}
        )
        self._verdicts.setdefault(verdict.requirement, []).append(verdict)
        self._judged_in.add((scenario, verdict.requirement))
        self._run = replace(self._run, verdicts=self.verdicts())
        self.folder.save_run(self._run)
        return verdict

    def _attach(self, text: str) -> None:
        name = f"{self._judged + 1:03d}-traceback.txt"
        save_text(self.folder.evidence / name, clean(text))

    def _next_seed(self, fault: Fault) -> int:
        if self._scope is None:
            return derived(self.seed, "equipment", fault.kind)
        self._scope.disruptions += 1
        return derived(self.seed, self._scope.name, self._scope.disruptions, fault.kind)

    def _recorder(self, kept: Kept) -> Callable[[Observation], Observation]:
        return self.record if kept is Kept.HURT else self._write_down

    def _write(self, kind: EventKind, data: Mapping[str, object]) -> None:
        """Write down what belongs to taking back, where that is possible: the act never waits for the paper."""
        try:
            self._journal.append(kind, data)
        except OSError:
            self._unwritten.append((kind, data))

    def _write_again(self) -> None:
        """Write down what could not be written, if there is room by now; else a later ``undo`` looks for itself."""
        if not self._unwritten:
            return
        with suppress(OSError):
            self._journal.close()
            self._journal = JournalWriter(self.folder.journal)
            for kind, data in self._unwritten:
                self._journal.append(kind, data)

    def _take_back(self, opened: Open, *, waited_s: float = 0.0) -> Observation:
        """Take one back; it counts as open until that is proven, whatever is raised meanwhile."""
        injection = opened.disruption.injection
        seen = opened.kept is Kept.HURT and self._scope is not None

        def record(gone: Observation) -> None:
            gone = as_stored(gone)
            with self._lock:
                if seen and self._scope is not None:
                    self._scope.observations.append(gone)
            self._write(EventKind.OBSERVATION, encode(gone))

        with shielded():
            self._stale = self._stale or opened.kept is Kept.HURT
            try:
                gone = take_back(
                    self.deployment,
                    opened.disruption.fault,
                    injection,
                    write=self._write,
                    record=record,
                    waited_s=waited_s,
                    under_way_s=0.0 if opened.began is None else opened.began + proving.UNDER_WAY_S - monotonic(),
                )
            except BaseException:
                opened.failed = True
                self.tainted = self.tainted or f"{describe(injection)} could not be taken back"
                if opened.kept is Kept.HURT and self._presence is not None:
                    self._presence.not_recovered(injection)
                raise
            self._open.remove(opened)
            if opened.kept is Kept.HURT and self._presence is not None:
                self._presence.recovered(injection)
        return gone

    def _take_back_all(self, *wanted: Kept, again: bool = False) -> None:
        """Take back what is open, last first; one that fails does not keep the others from being taken back.

        ``again``: also those that could not be taken back before.
        """
        failures: list[BaseException] = []
        with shielded():
            for opened in reversed(list(self._open)):
                if opened.kept not in wanted or (opened.failed and not again):
                    continue
                try:
                    self._take_back(opened)
                except BaseException as error:  # raised below, when the others are taken back
                    failures.append(error)
        ending = next((error for error in failures if not isinstance(error, Exception)), None)
        if ending is not None:
            raise ending
        if failures:
            raise UndoFailed("\n".join(_told(error) for error in failures)) from failures[0]


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, UndoFailed) else f"{type(error).__name__}: {error}"


def _identity(deployment: Deployment, grant: Grant) -> Identity | None:
    """Return which deployment this is; who only reads may go on without knowing."""
    try:
        return identify(deployment)
    except (NotPermitted, Unreachable):
        if grant is not Grant.OBSERVE:
            raise
        return None


def _pointer(folder: RunFolder, target_file: Path | None) -> dict[str, str]:
    """Return where a later ``undo`` finds the target: relative to the run, so that both can be moved together."""
    if target_file is None:
        return {}
    return {"target_file": os.path.relpath(target_file.resolve(), folder.path.resolve())}


def _require_known_limits(deployment: Deployment, grant: Grant) -> None:
    """Refuse limits that name what is not there: a typing mistake would protect nobody."""
    limits = deployment.target.limits
    if grant is Grant.OBSERVE or not {*limits.max_down, *limits.protected} - {EVERYTHING}:
        return
    problems = limit_problems(limits, discover(deployment))
    if problems:
        raise BadInput(problems)
