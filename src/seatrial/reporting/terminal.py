"""What every command says at its end: a line per promise, the figures, and last of all what to do now."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from seatrial.journal.reader import open_injections, scan
from seatrial.journal.sieve import shown
from seatrial.model.errors import BadInput
from seatrial.model.verdict import Outcome
from seatrial.reporting.brief import MOST, NAMED, brief, cut, few
from seatrial.reporting.laying import put, put_whole
from seatrial.reporting.sentence import facts, outage_words
from seatrial.reporting.story import Row, Story
from seatrial.reporting.summary import Summary, summarise
from seatrial.reporting.wiring import Wiring
from seatrial.reporting.words import SIGN, WORD

STYLE = {
    Outcome.VIOLATES: "bold red",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.CONFORMS: "green",
    Outcome.NOT_APPLICABLE: "dim",
}
_LABEL = 9


def close(console: Console, story: Story, wiring: Wiring, folder: Path) -> None:
    """Print a stored run's end; the last lines are what a person needs who reads nothing else.

    The very last one is the command that takes back what is left, or where the report is when nothing is.
    """
    summary = summarise(story, str(folder))
    for row in story.rows:
        _row(console, row)
    _not_tried(console, story)
    for fact in facts(story, wiring):
        note = f" ({fact.note})" if fact.note else ""
        put(console, Text(cut(shown(f"{fact.figure} {fact.what}{note}"), MOST)))
    for step in summary.next:
        if step.command or step.about == "sign":
            _line(console, "NEXT", Text(step.what + (":" if step.command else "")))
            if step.command:
                put_whole(console, step.command)
    _blocks(console, story, summary)
    put_whole(console, f"report: {folder / 'report.html'}")
    if summary.undo:
        put_whole(console, summary.undo, style="bold red")


def close_bare(console: Console, folder: Path, problem: BadInput) -> None:
    """Print what can be told of a run of which no more than its journal can be read."""
    _line(console, "NOT READ", Text(brief(str(problem), MOST - _LABEL)))
    left = [injection for injection, _ in open_injections(scan(folder / "journal.jsonl").events)]
    if not left:
        _line(console, "NOW", Text(f"{SIGN[Outcome.CONFORMS]} nothing of this run is left in the deployment", "green"))
        return
    for injection in left[:NAMED]:
        who = f"{cut(injection.fault, 40)} of {few(injection.subjects, 40)}"
        _line(console, "NOW", Text(f"! {who} may still be in the deployment", "bold red"))
    by_hand = [line for injection in left for line in injection.by_hand]
    _by_hand(console, by_hand)
    put_whole(console, f"seatrial undo {shlex.quote(str(folder))}", style="bold red")


def _not_tried(console: Console, story: Story) -> None:
    """Say what the verdicts say nothing about: promises of the suite that this target's owner does not allow to try."""
    left_out = story.run.plan.not_tried
    for entry in left_out:
        label = Text(f"{cut(', '.join(entry.requirements), 16):<{_LABEL}}– {'not tried':<{_LABEL + 6}}", "yellow")  # noqa: RUF001
        room = (MOST - len(label.plain) - 2) // 2
        put(console, Text(f"{brief(entry.scenario, room)}: {brief(entry.why, room)}"), label=label)
    named = dict.fromkeys(requirement for entry in left_out for requirement in entry.requirements)
    wholly = [requirement for requirement in named if requirement not in story.run.plan.requirements]
    if left_out:
        tried = len(story.run.plan.requirements)
        said = f"tried {tried} of {tried + len(wholly)} promises of this selection; the status is about these"
        put(console, Text(said))


def _blocks(console: Console, story: Story, summary: Summary) -> None:
    _line(console, "NOW", Text(f"{'!' if summary.hurt else SIGN[Outcome.CONFORMS]} {summary.now}", _now_style(summary)))
    _line(console, "VERDICT", Text(f"{SIGN[summary.outcome]} {summary.verdict}", STYLE[summary.outcome]))
    put(console, counts(story))
    if summary.ending.kind != "complete":
        _line(console, "ENDED", Text(summary.ending.words, "yellow"))
    if summary.cause:
        _line(console, "CAUSE", Text(summary.cause))
    _by_hand(console, summary.by_hand)


def _by_hand(console: Console, lines: Sequence[str]) -> None:
    """Print the first of the lines: behind its label where both are one line, else alone, so that it can be pasted."""
    if not lines:
        return
    first, more = shown(lines[0]), f"(+{len(lines) - 1} more)" if len(lines) > 1 else ""
    if len(first) + len(more) + 1 <= MOST - _LABEL:
        _line(console, "BY HAND", Text(f"{first} {more}".rstrip()))
    else:
        _line(console, "BY HAND", Text(more or "this command:"))
        put_whole(console, first)


def _now_style(summary: Summary) -> str:
    return "bold red" if summary.hurt else "green"


def _line(console: Console, label: str, text: Text) -> None:
    put(console, text, label=Text(f"{label:<{_LABEL}}", "bold"))


def counts(story: Story) -> Text:
    """Return the verdict counts on one line: ``0 violates, 0 inconclusive, 9 conforms, 0 not applicable``."""
    line = Text("verdicts: ")
    for index, (outcome, number) in enumerate(story.counts.items()):
        line.append(", " if index else "")
        line.append(f"{number} {WORD[outcome]}", style=STYLE[outcome] if number else "dim")
    return line


def _row(console: Console, row: Row) -> None:
    label = Text(f"{cut(row.id, 16):<{_LABEL}}")
    label.append(f"{SIGN[row.outcome]} {WORD[row.outcome]:<{_LABEL + 6}}", STYLE[row.outcome])
    outage = shown(f" [outage: {outage_words(row)}]") if row.watches else ""
    room = MOST - len(label.plain)
    outage = cut(outage, room // 2)
    put(console, Text(brief(row.because, room - len(outage)) + outage), label=label)
