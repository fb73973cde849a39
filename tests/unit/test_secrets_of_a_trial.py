"""A whole trial of a small cloud, ended well and in each bad way: no secret of it in anything that was left or said."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from seatrial import waiting
from seatrial.engine.disruption import Kept
from seatrial.engine.identity import identify
from seatrial.engine.judging import judge_again
from seatrial.engine.session import Session
from seatrial.engine.undo import undo_run
from seatrial.faults.fixture_schema import SqlSchema
from seatrial.faults.process import PauseProcess
from seatrial.journal.folder import RunFolder, as_stored
from seatrial.model.errors import NotPermitted, SeatrialError, UndoFailed, Unreachable
from seatrial.model.fault import Injection
from seatrial.model.observation import Observation
from seatrial.model.run import Plan
from seatrial.model.target import Secret
from seatrial.probes import resources
from seatrial.reporting import show, write_all
from tests import leaks
from tests.fake.clock import installed
from tests.fake.kinds import BROKER, MAKE, ONE
from tests.fake.platform import SPACE, Deployment, Platform

READ = "root-password-1"
"""Of the Secret that the trial reads."""
TOLD = "Tr0ub4dor-and-3"
"""Nobody reads it: the deployment itself tells it, in the message of a condition."""
MESSAGE = (
    "DBSync job error: (pymysql.err.OperationalError) "
    f"mysql+pymysql://keystone_1a2b:{TOLD}@openstack.openstack.svc/keystone"
)
SECRETS = {"the root's": READ, "keystone's": TOLD}


@pytest.fixture
def platform() -> Iterator[Platform]:
    """A cloud whose Keystone says why it is not ready."""
    with pytest.MonkeyPatch.context() as patch:
        cloud = Platform(installed(patch))
        keystone = cloud.objects["KeystoneAPI", SPACE, "keystone"]
        keystone.setdefault("status", {})["conditions"] = [
            {"type": "Ready", "status": "False", "reason": "Error", "message": MESSAGE}
        ]
        yield cloud


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    """A run's folder, made where the mask of new files hides nothing."""
    before = os.umask(0)
    yield RunFolder.create(tmp_path, "fake", "secrets")
    os.umask(before)


def begin(platform: Platform, folder: RunFolder) -> Session:
    deployment: Any = Deployment(platform)
    plan = Plan("fake", "secrets", 1, (), ("all",), "disrupt", waiting.budgets({}), {})
    session = Session(deployment.target, folder, plan, deployment=deployment, identity=identify(deployment))
    folder.save_run(session._run)
    return session


def go_through(session: Session, happens: Callable[[Session], object] = lambda session: None) -> None:
    """Look, equip, hurt, judge; ``happens`` is what goes wrong while a hurt is in place."""
    with session.scenario("all"):
        session.record_all(resources.conditions(session.deployment, session.inventory()))
        session.equip(SqlSchema(), Kept.SCENARIO)
        session.disrupt(PauseProcess(BROKER))
        happens(session)
        session.judge("OPS-2")
        session.judge("OPS-3")


def end(session: Session) -> str:
    """End it, report it, and return what a person was told."""
    told = io.StringIO()
    with suppress(UndoFailed, OSError):
        session.close()
    session.journal.close()
    write_all(session.folder.path)
    show(session.folder.path, Console(file=told, width=400))
    return told.getvalue()


def nothing_leaks(folder: RunFolder, said: str) -> None:
    assert (folder.path / "report.html").exists()
    assert leaks.leaks([folder.path], SECRETS, said) == []
    assert leaks.open_to_others(folder.path) == []


def test_a_run_that_ends_well(platform: Platform, folder: RunFolder) -> None:
    """The message is there without its password; judging again says the same."""
    session = begin(platform, folder)
    go_through(session)
    said = end(session)
    nothing_leaks(folder, said)
    assert "keystone_1a2b:[removed" in folder.journal.read_text()
    assert judge_again(folder).verdicts == folder.load_run().verdicts


class Stubborn(PauseProcess):
    """The real fault, whose undo fails with words that hold a secret."""

    raises: BaseException

    def undo(self, deployment: Any, injection: Injection, waited_s: float) -> None:
        raise Stubborn.raises


@pytest.mark.parametrize(
    "raises",
    [
        UndoFailed(f"kill: {READ}"),
        RuntimeError(f"can't signal: mysql -uroot -p{READ}"),
        KeyError(READ),
        Unreachable(f"exec: {MESSAGE}"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_run_whose_undo_fails_with_a_secret_in_its_words(
    platform: Platform, folder: RunFolder, raises: BaseException
) -> None:
    """They get into the journal, the state of the run, every report, and what a later undo says."""
    Stubborn.raises = raises
    session = begin(platform, folder)
    with pytest.raises(UndoFailed):
        go_through(session, lambda session: session.disrupt(Stubborn(ONE)))
    said = end(session)
    assert "cut short" in folder.load_run().state
    nothing_leaks(folder, said)


def test_a_run_in_which_an_exec_fails_with_sql_in_its_words(platform: Platform, folder: RunFolder) -> None:
    """What the platform, or a client in a pod, repeats of what it was sent."""

    def refuse(request: str) -> None:
        if request.startswith("exec openstack-galera"):
            raise Unreachable(f"ERROR 1064 near \"CREATE USER 'x' IDENTIFIED BY '{TOLD}'\"; sent by root:{READ}")

    session = begin(platform, folder)
    platform.before = refuse
    with pytest.raises(UndoFailed) as failed:
        go_through(session)
    session.could_not_tell("OPS-2", "all", f"'all' broke off: {failed.value}")  # type: ignore[arg-type]
    platform.before = lambda request: None
    nothing_leaks(folder, end(session))


def test_a_run_in_which_a_step_breaks(platform: Platform, folder: RunFolder) -> None:
    """Any exception, of ours or of a library: what a scenario broke off with is evidence."""

    def breaks(session: Session) -> None:
        raise ValueError(f"invalid literal for int(): {READ} in {MESSAGE}")

    session = begin(platform, folder)
    with pytest.raises(ValueError, match="invalid literal") as failed:
        go_through(session, breaks)
    session.could_not_tell("OPS-2", "all", f"'all' broke off: ValueError: {failed.value}")  # type: ignore[arg-type]
    nothing_leaks(folder, end(session))


@pytest.mark.parametrize("lines", [5, 9, 14, 20])
def test_a_run_whose_disk_is_full(
    platform: Platform, folder: RunFolder, lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the last line was."""
    write, left = os.write, iter(range(lines))

    def bounded(descriptor: int, data: bytes) -> int:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    session = begin(platform, folder)
    with monkeypatch.context() as patch, suppress(OSError, SeatrialError):
        patch.setattr(os, "write", bounded)
        go_through(session)
    nothing_leaks(folder, end(session))


def test_a_run_that_was_killed_and_undone(platform: Platform, folder: RunFolder) -> None:
    """What undo writes into the same journal passes the sieve as well."""
    session = begin(platform, folder)
    scope = session.scenario("all")
    scope.__enter__()
    session.equip(SqlSchema(), Kept.SCENARIO)
    session.disrupt(PauseProcess(BROKER))
    session.journal.close()

    def refuse(request: str) -> None:
        if request.startswith("exec openstack-galera"):
            raise Unreachable(f"refused: {MESSAGE} {READ}")

    platform.before = refuse
    deployment: Any = Deployment(platform)
    said = " ".join(str(as_stored(undone)) for undone in undo_run(folder, deployment))
    assert "could not" in said or "refused" in said
    platform.before = lambda request: None
    nothing_leaks(folder, said + end(session))


def test_a_check_that_breaks_on_a_secret(
    platform: Platform, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its traceback is kept beside the evidence, cleaned."""
    from seatrial.engine import judging  # noqa: PLC0415

    def check(evidence: object) -> None:
        raise RuntimeError(f"no such member: {READ} of {MESSAGE}")

    monkeypatch.setattr(judging, "CHECKS", {"OPS-2": check})
    session = begin(platform, folder)
    go_through(session)
    said = end(session)
    assert list(folder.evidence.glob("*-traceback.txt"))
    nothing_leaks(folder, said)


def test_evidence_that_a_check_sees_is_what_was_stored(platform: Platform, folder: RunFolder) -> None:
    """Else the same check would say something else when the run is judged again."""
    session = begin(platform, folder)
    with session.scenario("all"):
        seen = session.record_all(resources.conditions(session.deployment, session.inventory()))
        assert TOLD not in str(seen)
        assert TOLD not in str(session.inventory())
        stored = [Observation(**e.data) for e in folder.events() if e.kind == "observation"]  # type: ignore[arg-type]
        assert [o.value for o in stored] == [o.value for o in seen]
    session.close()


@pytest.mark.parametrize("kind", sorted(MAKE))
def test_what_undo_needs_passes_the_sieve_as_it_is(platform: Platform, folder: RunFolder, kind: str) -> None:
    """Recipe and by-hand lines of every kind: what is not written down can't be undone in another process."""
    deployment: Any = Deployment(platform)
    session = begin(platform, folder)
    injection = MAKE[kind]().prepare(deployment, session.inventory(), 1)
    assert as_stored(injection) == injection
    session.close()


class Careless(PauseProcess):
    """A fault that would write a secret into its recipe."""

    def prepare(self, deployment: Any, inventory: Any, seed: int) -> Injection:
        from dataclasses import replace  # noqa: PLC0415

        made = super().prepare(deployment, inventory, seed)
        return replace(made, recipe={**made.recipe, "env": [{"name": "DB_PASSWORD", "value": TOLD}]})


def test_a_recipe_with_a_secret_is_refused_before_anything_is_touched(platform: Platform, folder: RunFolder) -> None:
    """It could not be undone from a journal that does not have it."""
    session = begin(platform, folder)
    before = platform.facts()
    with session.scenario("all"), pytest.raises(NotPermitted, match="looks like a secret"):
        session.disrupt(Careless(ONE))
    assert platform.facts() == before
    session.close()
    assert leaks.leaks([folder.path], SECRETS) == []


def test_the_own_passwords_are_secrets_too(platform: Platform, folder: RunFolder) -> None:
    """Those of the accounts that the harness makes for itself."""
    schema = SqlSchema()
    session = begin(platform, folder)
    with session.scenario("all"):
        session.equip(schema, Kept.SCENARIO)
        session.could_not_tell("OPS-2", "all", f"broke off: {schema.password.reveal()}")  # type: ignore[arg-type]
    said = end(session)
    assert leaks.leaks([folder.path], {"its own": schema.password.reveal()}, said) == []


def test_public_parts_of_secrets_stay_readable() -> None:
    """The name of an account is evidence: only what was made a Secret is one."""
    before = Secret("not-a-name-2")
    assert str(before) == "<secret>"
    assert "default_user_x1" in str(as_stored(Injection("i-1", "f", {"user": "default_user_x1"}, ())).parameters)
