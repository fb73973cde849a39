"""What each command does, with the library; clients are imported only by the commands that contact something."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from seatrial.catalogue import loader
from seatrial.engine.plan import REQUIREMENT, SUITES, TAGS, check_suite
from seatrial.entry import child, places, showing, trial_lease
from seatrial.entry.exit_status import Exit, of_run, of_verdicts
from seatrial.entry.refusal import Refused, gathering
from seatrial.entry.target import load_target
from seatrial.journal.codec import encode, to_json
from seatrial.journal.folder import RunFolder
from seatrial.journal.reader import open_injections, scan
from seatrial.journal.sieve import sieved
from seatrial.model.errors import BadInput, Problem
from seatrial.model.inventory import Role
from seatrial.model.journal import EventKind
from seatrial.model.run import Run
from seatrial.model.target import Grant, Target

if TYPE_CHECKING:
    from seatrial.engine.undo import Undone

_TAIL = 15


def own_version() -> str:
    """Return the version of Seatrial that is installed."""
    try:
        return version("seatrial")
    except PackageNotFoundError:
        return "unknown"


def plan(options: Namespace) -> int:
    """Print what a suite would run, what it would hurt, which grant each needs, and what would be left out and why."""
    suite = check_suite(options.suite)
    loader.find(options.requirement)
    target = [] if options.target is None else ["--target", str(options.target.resolve())]
    found = child.collect(suite, [*target, *_selection(options.requirement)])
    grants = [Grant(str(entry["grant"])) for entry in found.scenarios]
    needed = max(grants, key=list(Grant).index, default=Grant.OBSERVE)
    if options.json:
        entries = {"scenarios": found.scenarios, "not_tried": found.not_tried}
        _print_json({"suite": suite, "grant": needed.value, **entries})
        return Exit.CONFORMS if grants else Exit.BAD_INPUT
    out = showing.console()
    for entry in found.scenarios:
        out.print(escape(f"{entry['grant']:<8} {', '.join(entry['requirements']):<8} {entry['scenario']}"))
        if entry["grant"] == Grant.DISRUPT.value:
            out.print(escape(f"{'':<18}hurts: {'; '.join(entry['acts'])}"))
    for entry in found.not_tried:
        out.print(escape(f"{'left out':<8} {', '.join(entry['requirements']):<8} {entry['scenario']}: {entry['why']}"))
    if not grants:
        out.print("nothing of this would run: `seatrial run` refuses it")
        return Exit.BAD_INPUT
    left_out = f"; {len(found.not_tried)} left out" if found.not_tried else ""
    out.print(f"{len(found.scenarios)} scenarios{left_out}; needs the grant {needed.value} ({TAGS[needed.value]})")
    return Exit.CONFORMS


def doctor(options: Namespace) -> int:
    """Print whether the target can be reached and read, and what is missing."""
    target = load_target(options.target)
    from seatrial.clients.deployment import Deployment  # noqa: PLC0415
    from seatrial.engine.preflight import State, examine  # noqa: PLC0415

    with Deployment(target) as deployment:
        findings = list(examine(deployment, target.grant))
    if options.json:
        _print_json([{"what": f.what, "state": f.state.value, "message": f.message} for f in findings])
    else:
        styles = {State.OK: "green", State.LIMITED: "yellow", State.UNREACHABLE: "red", State.WRONG: "bold red"}
        out = showing.console()
        for finding in findings:
            state = f"[{styles[finding.state]}]{finding.state.value:<12}[/]"
            out.print(f"{state} {escape(f'{finding.what}: {finding.message}')}")
    states = {finding.state for finding in findings}
    if State.WRONG in states:
        return Exit.BAD_INPUT
    return Exit.INCONCLUSIVE if states - {State.OK} else Exit.CONFORMS


def inventory(options: Namespace) -> int:
    """Print what the deployment consists of, and what could not be read."""
    target = load_target(options.target)
    from seatrial.clients.deployment import Deployment  # noqa: PLC0415
    from seatrial.discovery import discover  # noqa: PLC0415
    from seatrial.engine.preflight import require  # noqa: PLC0415

    with Deployment(target) as deployment:
        require(deployment, Grant.OBSERVE)
        found = discover(deployment)
    if options.json:
        _print_json(encode(found))
        return Exit.CONFORMS
    out = showing.console()
    for component in sorted(found.components, key=lambda c: (c.service, c.name)):
        ready = sum(replica.ready for replica in component.replicas)
        nodes = len({replica.node for replica in component.replicas})
        count = f"{ready}/{component.desired} ready on {nodes} node{'' if nodes == 1 else 's'}"
        said = "runs to its end" if component.role is Role.JOB else count
        out.print(f"{component.service:<14} {component.subject:<48} {said}")
    for operator in found.operators:
        owner = f"{operator.owner.kind}/{operator.owner.name}" if operator.owner else "nobody"
        out.print(f"{'operator':<14} {operator.component.subject:<48} owned by {owner}")
    for gap in found.gaps:
        out.print(f"[yellow]not seen[/]       {escape(f'{gap.subject}: {gap.why}')}")
    out.print(f"{len(found.components)} components, {len(found.operators)} operators, {len(found.nodes)} nodes")
    return Exit.CONFORMS


def run(options: Namespace) -> int:
    """Try a deployment; the last lines say verdict counts and where the report is."""
    target, suite = _accepted(options)
    out = showing.console(error=options.json)
    selection = _selection(options.requirement)
    folder = RunFolder.create(options.out, target.name, suite)
    arguments = ["--target", str(options.target.resolve()), "--seed", str(options.seed), *selection]
    with showing.Progress(out, quiet=options.quiet or options.json, scenarios=lambda: _scenarios(folder)) as progress:
        ended = child.run(suite, arguments, folder, hear=progress.hear, tell=progress.tell)
    if ended.refusal is not None:
        shutil.rmtree(folder.path)
        raise Refused(ended.refusal)
    if not folder.run_json.exists():
        return _never_began(folder)
    # Whatever ended the child, people find a report of what there is.
    told = folder.html.exists() or places.tell(folder)
    told = places.seal(folder) and told
    return _result(folder, folder.load_run(), out, failed=ended.failed or not told, as_json=options.json)


def _accepted(options: Namespace) -> tuple[Target, str]:
    """Return the target and the suite; raises BadInput with all that is wrong with any of the options."""
    problems: list[Problem] = []
    target = None
    with gathering(problems):
        check_suite(options.suite)
    with gathering(problems):
        loader.find(options.requirement)
    with gathering(problems):
        target = load_target(options.target)
    if options.seed < 0:
        problems.append(Problem("--seed", str(options.seed), "a whole number, 0 or greater"))
    with gathering(problems):
        places.check_out(options.out)
    with gathering(problems):
        child.suites_root()
    if problems or target is None:
        raise BadInput(problems)
    return target, str(options.suite)


def _scenarios(folder: RunFolder) -> int:
    return len(folder.load_run().plan.scenarios)


def _never_began(folder: RunFolder) -> int:
    """Tell that the child ended before there was a run: a mistake of ours or of the installation."""
    error = showing.console(error=True)
    log = folder.evidence / "pytest.log"
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL:]:
        error.print(escape(line))
    error.print(f"seatrial: the suite ended before the trial began; all it said is in {log}")
    return Exit.INTERNAL


def _result(folder: RunFolder, found: Run, out: Console, *, failed: bool, as_json: bool) -> int:
    behind = open_injections(scan(folder.journal).events)
    status = of_run(found, left_behind=bool(behind), failed=failed)
    if as_json:
        _print_json(
            {
                "run": str(folder.path),
                "state": found.state,
                "status": int(status),
                "verdicts": [encode(verdict) for verdict in found.verdicts],
                "not_tried": [encode(entry) for entry in found.plan.not_tried],
                "left_behind": [encode(injection) for injection, _ in behind],
                "report": str(folder.html),
            }
        )
        return status
    if failed:
        log = folder.evidence / "pytest.log"
        out.print(f"[bold red]a mistake in Seatrial itself ended the run[/]; all it said is in {escape(str(log))}")
    from seatrial.reporting import show  # noqa: PLC0415

    show(folder.path, out)
    return status


def undo(options: Namespace) -> int:
    """Take back what a killed run left in the deployment, last first."""
    folder = places.stored(options.run, journal_alone=True)
    out = showing.console(error=options.json)
    from seatrial.engine.ending import heard, shielded  # noqa: PLC0415
    from seatrial.engine.undo import describe, left_behind, presence_of_undo, undo_run  # noqa: PLC0415
    from seatrial.reporting.brief import brief  # noqa: PLC0415

    behind = left_behind(folder)
    for problem in behind.problems:
        out.print(f"[yellow]skipped[/] {escape(str(problem))}")
    done: list[Undone] = []
    if not behind.injections:
        if not behind.problems:
            trial_lease.give_back(folder, lambda: options.target or _target_of(folder))
        return _undone(folder, done, out, unread=len(behind.problems), as_json=options.json)
    target = load_target(options.target or _target_of(folder))
    from seatrial.clients.deployment import Deployment  # noqa: PLC0415

    def tell(undone: Undone) -> None:
        if undone.failure is not None:
            out.print(f"[bold red]NOT taken back[/] {escape(brief(undone.failure))}")
        elif not options.quiet:
            out.print(f"taken back: {escape(describe(undone.injection))}")

    def still_open() -> list[str]:
        return [describe(injection) for injection in left_behind(folder).injections]

    _remark(folder, out)
    # Asked to end, it comes to its end all the same: taking back is what was wanted. The third asking ends it.
    with heard(still_open=still_open), shielded(last=True), Deployment(target) as deployment:
        # A deployment that can't be reached is told once, before anything is said about single injections.
        deployment.kube.can_i("list", "pods", target.namespaces.control_plane)
        done = undo_run(folder, deployment, tell=tell, presence=presence_of_undo(folder, deployment))
    return _undone(folder, done, out, unread=len(behind.problems), as_json=options.json)


def _remark(folder: RunFolder, out: Console) -> None:
    """Tell what is not as it was sealed: undo goes on all the same, for it needs the recipes and nothing else."""
    from seatrial.reporting import check_seal  # noqa: PLC0415

    try:
        remarks = check_seal(folder.path)
    except BadInput as error:
        remarks = tuple(str(problem) for problem in error.problems)
    for remark in remarks:
        out.print(f"[yellow]{escape(remark)}[/]")


def _undone(folder: RunFolder, done: Sequence[Undone], out: Console, *, unread: int, as_json: bool) -> int:
    """Write the reports anew and seal the run again, whose journal has grown; tell what came of it.

    ``unread``: lines of the journal that say nothing to this version. Any of them may have been a recipe.
    """
    if done:
        places.tell(folder)
        places.seal(folder)
    failed = [entry for entry in done if entry.failure is not None]
    from seatrial.reporting.words import plural  # noqa: PLC0415

    status = Exit.NOT_RESTORED if failed else Exit.INCONCLUSIVE if unread else Exit.CONFORMS
    if as_json:
        taken = [encode(entry.injection) for entry in done if entry.failure is None]
        left = [{"injection": encode(entry.injection), "why": entry.failure} for entry in failed]
        _print_json({"run": str(folder.path), "status": int(status), "taken_back": taken, "not_taken_back": left})
    elif done:
        from seatrial.reporting import show  # noqa: PLC0415

        out.print(f"{len(done) - len(failed)} taken back, {len(failed)} not")
        show(folder.path, out)
    else:
        out.print("nothing else was left behind" if unread else "nothing was left behind")
    if unread and not as_json:
        out.print(
            f"[yellow]{plural(unread, 'line')} of the journal could not be read: what stood there may still be open[/]"
        )
    return status


def _target_of(folder: RunFolder) -> Path:
    """Return the target file that a run was started with."""
    for event in scan(folder.journal).events:
        if event.kind is EventKind.PHASE and isinstance(event.data.get("target_file"), str):
            return (folder.path / str(event.data["target_file"])).resolve()
    raise BadInput(
        [Problem("--target", "nothing, and the run does not name its target file", "the deployment's target file")]
    )


def judge(options: Namespace) -> int:
    """Judge a stored run again from its files alone, and tell where that differs from what was said then."""
    folder = places.stored(options.run)
    from seatrial.engine.judging import judge_again  # noqa: PLC0415
    from seatrial.reporting import check_seal, show  # noqa: PLC0415

    remarks = check_seal(folder.path)
    before = {verdict.requirement: verdict for verdict in folder.load_run().verdicts}
    found = judge_again(folder)
    changed = [v.requirement for v in found.verdicts if before.get(v.requirement) != v]
    if options.json:
        verdicts = [encode(v) for v in found.verdicts]
        _print_json({"run": folder.id, "verdicts": verdicts, "changed": changed, "remarks": remarks})
        return of_verdicts(found.verdicts)
    out = showing.console()
    for remark in remarks:
        out.print(f"[yellow]{escape(remark)}[/]")
    out.print(f"differs from the stored run: {', '.join(changed)}" if changed else "the same verdicts as stored")
    show(folder.path, out, run=found)
    return of_verdicts(found.verdicts)


def report(options: Namespace) -> int:
    """Write the reports of a stored run again, and print what they say and where they are."""
    folder = places.stored(options.run)
    from seatrial.reporting import check_seal, seal, show, write_all  # noqa: PLC0415

    remarks = check_seal(folder.path)
    places.require_ended(folder)
    write_all(folder.path)
    seal(folder.path)
    if options.json:
        files = [folder.html, folder.junit, folder.sign_off]
        _print_json({"run": str(folder.path), "files": [str(file) for file in files], "remarks": remarks})
        return Exit.CONFORMS
    out = showing.console()
    for remark in remarks:
        out.print(f"[yellow]{escape(remark)}[/]")
    show(folder.path, out)
    return Exit.CONFORMS


def catalogue(options: Namespace) -> int:
    """Print requirements with their sources, and the names of faults, suites and tags."""
    wanted = loader.find(options.requirement, "ID") if options.requirement else loader.catalogue()
    from seatrial.faults import KINDS  # noqa: PLC0415

    if options.json:
        data = {
            "requirements": [encode(entry) for entry in wanted],
            "faults": sorted(KINDS),
            "suites": {name: suite.about for name, suite in SUITES.items()},
        }
        _print_json({**data, "tags": {**TAGS, f"{REQUIREMENT}ID": "the promise that a Rule states"}})
        return Exit.CONFORMS
    out = showing.console()
    for entry in wanted:
        out.print(f"[bold]{entry.id}[/] ({entry.level.value}) {escape(entry.promise)}")
        for source in entry.sources:
            out.print(f"    source: {escape(source.document)}, section {escape(source.section)}")
        out.print(f"    evidence: {', '.join(entry.evidence)}")
        out.print(f"    does not see: {escape(entry.not_seen)}")
        out.print(f"    seen violated on: {', '.join(entry.violations)}")
    if not options.requirement:
        _names(out, "faults", sorted(KINDS))
        _names(out, "suites", [f"{name} ({suite.about})" for name, suite in SUITES.items()])
        _names(out, "tags", [f"@{name} ({text})" for name, text in TAGS.items()])
    return Exit.CONFORMS


def _names(out: Console, title: str, names: Iterable[str]) -> None:
    out.print(f"[bold]{title}[/]: " + escape("; ".join(names)))


def _selection(requirements: Sequence[str]) -> list[str]:
    return [word for requirement in requirements for word in ("--requirement", requirement)]


def _print_json(value: object) -> None:
    showing.console().file.write(json.dumps(sieved(to_json(value)), indent=1) + "\n")
