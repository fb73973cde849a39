"""Texts that a deployment made up reach people without control characters and without secrets, wherever they stand."""

from __future__ import annotations

import io
import json
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from paper_runs import Recorder, ledger
from rich.console import Console

from seatrial.entry import cli, refusal, showing
from seatrial.entry.exit_status import Exit
from seatrial.model.errors import Unreachable
from seatrial.model.fault import Injection
from seatrial.model.journal import Event, EventKind
from seatrial.model.target import Secret
from seatrial.reporting import show, write_all

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
SECRET = "Tr0ub4dor-and-3"
URL = f"mysql+pymysql://keystone:{SECRET}@openstack.openstack.svc/keystone"
EVIL = f"\x1b]0;pwned\x07\x1b[2J\x9b1;1H\u202e{URL}\x00\r"
TOLD = ("report.html", "junit.xml", "sign-off.md")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def odd_run(folder: Path, odd: str) -> Path:
    """A run in which everything that a deployment, or its owner, may name carries an odd text."""
    run = Recorder(folder, requirements=("DB-5", "API-1"), target=f"lab{odd}")
    run.phase("scenario", f"loses{odd}")
    run.hurt(f"kill{odd}", f"pod/openstack/galera-0{odd}", hold=1, undo=False)
    seen = run.observe("galera.members", f"galera/openstack/x{odd}", {f"name{odd}": odd, "members": [odd]}, excerpt=odd)
    blind = run.observe("census", f"pod/a{odd}", error=f"Unreachable: {odd}")
    kept = run.observe("ledger", f"ledger/{odd}", ledger(f"sql_row{odd}", 10, lost=(3,)))
    run.outage(f"sql{odd}", 0.0, 2.0, (0.5, 0.9))
    run.judge("DB-5", "violates", f"broken{odd}", (seen, kept), scenario=f"loses{odd}", violating=(f"pod/a{odd}",))
    run.judge("API-1", "inconclusive", f"unseen{odd}", (blind,), scenario=f"loses{odd}")
    return run.save(state=f"cut short: {odd}")


@settings(max_examples=25)
@given(odd=TEXTS)
@example(odd=EVIL)
def test_what_people_read_controls_nothing(tmp_path_factory: pytest.TempPathFactory, odd: str) -> None:
    """The page, JUnit, the document to sign and the closing lines, of whatever a run holds."""
    folder = odd_run(tmp_path_factory.mktemp("odd") / "run", odd)
    write_all(folder)
    out = io.StringIO()
    show(folder, Console(file=out, width=200))
    for place, text in {
        **{name: (folder / name).read_bytes().decode() for name in TOLD},
        "terminal": out.getvalue(),
    }.items():
        assert not CONTROLS.search(text), place
        assert SECRET not in text, place


@given(odd=TEXTS)
@example(odd=EVIL)
def test_what_a_command_shows_controls_nothing(odd: str) -> None:
    """Progress and verdicts of a run that goes on, from its journal; also in the line that is live on a terminal."""
    for terminal in (False, True):
        out = io.StringIO()
        console = showing.Careful(file=out, force_terminal=terminal, color_system=None, width=200)
        with showing.Progress(console, quiet=False, scenarios=lambda: 1) as progress:
            for kind, data in (
                (EventKind.PHASE, {"name": "scenario", "scenario": odd}),
                (EventKind.PREPARED, {"id": "i-1", "fault": odd, "subjects": [odd]}),
                (EventKind.INJECTED, {"injection": "i-1"}),
                (EventKind.VERDICT, {"verdict": {"outcome": "violates", "requirement": odd, "because": odd}}),
            ):
                progress.hear(Event(1, datetime.now(UTC), 0.0, 1, kind, data))
            progress.tell(odd)
        text = out.getvalue()
        if terminal:
            # What Rich moves the cursor with, and nothing else.
            text = re.sub(r"\x1b\[(?:\?25[lh]|2K|1A|\d*m)|\r", "", text)
        assert not CONTROLS.search(text)
        assert SECRET not in text


def test_what_a_refusal_says_is_clean_and_private(tmp_path: Path) -> None:
    """It passes a file between two processes, and ends on a terminal."""
    path = tmp_path / "refusal.json"
    refusal.write(path, Unreachable(f"the cloud did not answer: {EVIL}"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SECRET not in path.read_text()
    told = refusal.read(path)
    assert told is not None
    assert told.status is Exit.INCONCLUSIVE
    assert not CONTROLS.search(told.message)


def test_an_error_of_a_command_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever ends a command, its message goes to the terminal through the sieve."""
    cli._tell(Unreachable(f"exec in pod x: {EVIL}"))
    said = capsys.readouterr().err
    assert said.startswith("seatrial: exec in pod x: ")
    assert SECRET not in said
    assert not CONTROLS.search(said)


def test_known_secrets_are_not_in_json_that_a_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """``--json`` is for programs, and for their logs."""
    from seatrial.entry import commands  # noqa: PLC0415

    Secret("a-known-secret-1")
    commands._print_json(Injection("i-1", "f", {}, ("a-known-secret-1",), {"deep": ["x a-known-secret-1 y"]}))  # type: ignore[arg-type]
    said = capsys.readouterr().out
    assert json.loads(said)["id"] == "i-1"
    assert "a-known-secret-1" not in said
