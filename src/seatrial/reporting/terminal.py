"""What every command says at its end: a line per promise, the figures, and last of all what to do now."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from seatrial.journal.sieve import shown
from seatrial.model.verdict import Outcome
from seatrial.reporting.brief import MOST, brief, cut
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


def _blocks(console: Console, story: Story, summary: Summary) -> None:
    _line(console, "NOW", Text(f"{'!' if summary.hurt else SIGN[Outcome.CONFORMS]} {summary.now}", _now_style(summary)))
    _line(console, "VERDICT", Text(f"{SIGN[summary.outcome]} {summary.verdict}", STYLE[summary.outcome]))
    put(console, counts(story))
    if summary.ending.kind != "complete":
        _line(console, "ENDED", Text(summary.ending.words, "yellow"))
    if summary.cause:
        _line(console, "CAUSE", Text(summary.cause))
    if summary.by_hand:
        rest = len(summary.by_hand) - 1
        more = f" (+{rest} more)" if rest else ""
        _line(console, "BY HAND", Text(cut(summary.by_hand[0], MOST - _LABEL - len(more)) + more))


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
