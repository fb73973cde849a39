"""What the command line says at the end of a run: the sentence, a line per promise, the counts, where the report is."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from seatrial.journal.sieve import shown
from seatrial.model.verdict import Outcome
from seatrial.reporting import words
from seatrial.reporting.sentence import facts, headline, left_behind, outage_words
from seatrial.reporting.story import Story
from seatrial.reporting.wiring import Wiring

_STYLE = {
    Outcome.VIOLATES: "bold red",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.CONFORMS: "green",
    Outcome.NOT_APPLICABLE: "dim",
}


def summary(story: Story, wiring: Wiring, folder: Path) -> RenderableType:
    """Return the closing lines, for a terminal or a log; verdict counts and the report's place come last."""
    parts: list[RenderableType] = [Text(shown(headline(story)), style=_STYLE[story.outcome]), _table(story)]
    if not story.whole:
        parts.append(Text(f"The run did not come to its end ({shown(story.run.state)}).", style="yellow"))
    for band in story.tainted:
        hurt = f"{band.injection.fault} on {words.listing(band.injection.subjects)}: {band.fate}."
        parts.append(Text(shown(f"{left_behind(band)} {hurt} Undo it: seatrial undo {folder}"), "bold red"))
    said = (f"{fact.figure} {fact.what}" + (f" ({fact.note})" if fact.note else "") for fact in facts(story, wiring))
    parts += [Text(shown("; ".join(said))), counts(story), Text(f"report: {folder / 'report.html'}")]
    return Group(*parts)


def counts(story: Story) -> Text:
    """Return the verdict counts on one line: ``0 violates, 0 inconclusive, 9 conforms, 0 not applicable``."""
    line = Text("verdicts: ")
    for index, (outcome, number) in enumerate(story.counts.items()):
        line.append(", " if index else "")
        line.append(f"{number} {words.WORD[outcome]}", style=_STYLE[outcome] if number else "dim")
    return line


def _table(story: Story) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    for row in story.rows:
        verdict = Text(f"{words.SIGN[row.outcome]} {words.WORD[row.outcome]}", style=_STYLE[row.outcome])
        outage = f" [outage: {outage_words(row)}]" if row.watches else ""
        table.add_row(Text(row.id), verdict, Text(shown(row.because + outage)))
    return table
