"""What a command shows while a run goes on and at its end: the clock in a pipe, whole words on a terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from paper_runs import OPERATORS, RECIPE, Recorder, red_run
from rich.console import Console

from seatrial.entry.showing import Progress, closing_lines
from seatrial.journal.folder import RunFolder
from seatrial.model.journal import Event
from seatrial.model.requirement import RequirementId
from seatrial.model.run import NotTried
from seatrial.model.verdict import Outcome
from seatrial.reporting import show
from seatrial.reporting.terminal import close
from seatrial.reporting.writing import read


def heard(events: list[Event], width: int | None = None) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=width is not None, width=width, no_color=True, highlight=False)
    console.soft_wrap = width is None
    progress = Progress(console, quiet=False, scenarios=lambda: 2)
    for event in events:
        progress.hear(event)
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()


def test_lines_in_a_pipe_have_the_clock_of_the_day_and_are_whole(tmp_path: Path) -> None:
    """Who reads a log in the morning asks when, not after how long; and greps."""
    run = Recorder(tmp_path / "run")
    run.phase("scenario", "Service goes on while all operators are frozen")
    run.wait(65)
    run.hurt("pause_process", *OPERATORS, hold=1, recipe={"pods": [RECIPE]})
    seen = run.observe("x", "y", 1)
    run.judge("OPS-3", "violates", f"{'word ' * 80}end", (seen,), scenario="s", violating=("pod/a/b",))
    lines = heard(run.events)
    assert lines[0] == "09:26:53Z scenario 1 of 2: Service goes on while all operators are frozen"
    assert lines[1] == (
        "09:27:58Z   pause_process of infra-operator-…-r0vtk, keystone-operator-…-r1vtk, +8 more: in place"
    )
    assert lines[-1].startswith("09:28:00Z   violates       OPS-3: word word")
    assert len(lines[-1]) <= 120
    assert RECIPE not in "\n".join(lines)


@pytest.mark.parametrize("width", [80, 100])
def test_a_terminal_breaks_lines_between_words(tmp_path: Path, width: int) -> None:
    """Whatever the width; what goes on begins below what was said."""
    run = Recorder(tmp_path / "run")
    run.phase("scenario", " ".join(f"word{number}" for number in range(40)))
    lines = heard(run.events, width)
    assert all(len(line) <= width for line in lines)
    assert " ".join(lines).split()[1:] == ["scenario", "1", "of", "2:", *(f"word{number}" for number in range(40))]
    assert lines[1].startswith("      word")


def test_a_run_of_which_only_the_journal_is_left_still_says_what_to_do(tmp_path: Path) -> None:
    """``undo`` needs no more than that; nor do the lines after it."""
    folder = red_run(tmp_path / "run")
    (folder / "run.json").unlink()
    lines = closing_lines(folder)
    assert lines[0].startswith("NOT READ ")
    assert re.fullmatch(r"NOW      ! pause_process of \S+, \S+, \+8 more may still be in the deployment", lines[1])
    assert lines[-2].startswith("BY HAND  kill -CONT 7")
    assert lines[-1] == f"seatrial undo {folder}"


def test_a_folder_with_a_blank_in_its_name_can_be_pasted(tmp_path: Path) -> None:
    """The command is what a shell takes as it stands."""
    folder = red_run(tmp_path / "my reports" / "run")
    assert closing_lines(folder)[-1] == f"seatrial undo '{folder}'"


def test_what_was_not_tried_is_told_beside_the_verdicts(tmp_path: Path) -> None:
    """The status says nothing about a promise that the target's owner does not allow to try."""
    folder = red_run(tmp_path / "run")
    story, wiring = read(folder)
    left_out = NotTried("Somebody pulls a plug", (RequirementId("NET-9"),), "needs the grant disrupt")
    run = replace(story.run, plan=replace(story.run.plan, not_tried=(left_out,)))
    out = io.StringIO()
    close(Console(file=out, soft_wrap=True), replace(story, run=run), wiring, folder)
    assert "NET-9    – not tried      Somebody pulls a plug: needs the grant disrupt\n" in out.getvalue()  # noqa: RUF001
    assert "tried 9 of 10 promises of this selection; the status is about these\n" in out.getvalue()


def test_what_was_judged_again_is_what_is_shown(tmp_path: Path) -> None:
    """``judge`` writes nothing; its own verdicts stand in its lines, not the stored ones."""
    folder = red_run(tmp_path / "run")
    stored = RunFolder(folder).load_run()
    again = replace(stored, verdicts=tuple(replace(one, outcome=Outcome.INCONCLUSIVE) for one in stored.verdicts))
    out = io.StringIO()
    show(folder, Console(file=out, soft_wrap=True), run=again)
    assert "DB-4     ? inconclusive   openstack-cell1-galera-0 is the only member" in out.getvalue()
    assert out.getvalue().endswith(f"seatrial undo {folder}\n")
