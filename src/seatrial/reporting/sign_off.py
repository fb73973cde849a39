"""The document that a person signs: every line can be traced to the run's files, whose hashes stand in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from seatrial.journal.sieve import clean_finished, shown
from seatrial.model.verdict import Outcome
from seatrial.reporting import words
from seatrial.reporting.sentence import facts, headline, left_behind, outage_words
from seatrial.reporting.story import Row, Story
from seatrial.reporting.wiring import Wiring

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")
_MOST_UNSEEN = 40
# Within backticks Markdown shows everything as it is but these: one ends the code, one the cell, two may open HTML.
_HARMLESS = str.maketrans({"`": "'", "|": "\N{BROKEN BAR}", "<": "(", ">": ")"})


def sign_off(story: Story, wiring: Wiring, sources: tuple[Path, ...]) -> str:
    """Return the document in Markdown; ``sources`` are the files whose hashes it vouches for."""
    parts = [_head(story, wiring), _promises(story), _hurt(story), _limits(story), _files(sources), _signatures(story)]
    return clean_finished("\n\n".join(part for part in parts if part) + "\n")


def _head(story: Story, wiring: Wiring) -> str:
    run = story.run
    counts = ", ".join(f"{number} {words.WORD[outcome]}" for outcome, number in story.counts.items())
    figures = "\n".join(
        f"- {_plain(fact.figure)} {_plain(fact.what)}" + (f": {_plain(fact.note)}" if fact.note else "")
        for fact in facts(story, wiring)
    )
    warnings = "".join(f"\n\n> **{line}**" for line in _warnings(story))
    budgets = ", ".join(f"{name} {words.seconds(value)}" for name, value in run.plan.budgets.items()) or "none"
    return f"""# Sea trial of {_plain(run.plan.target)}: {_plain(run.plan.suite)}

**{words.SIGN[story.outcome]} {_plain(headline(story))}**

Verdicts: {counts}.{warnings}

{figures}

| | |
|---|---|
| Run | `{_code(run.id)}` |
| Time | {words.day_and_clock(story.first)} to {words.day_and_clock(story.last)} |
| State | {_plain(run.state)} |
| Grant | {_plain(run.plan.grant)} |
| Seed | {run.plan.seed} |
| Budgets | {_plain(budgets)} |
| Versions | {_plain(", ".join(f"{name} {version}" for name, version in run.versions.items()) or "not recorded")} |"""


def _warnings(story: Story) -> Iterator[str]:
    if not story.whole:
        yield "The run did not come to its end: this document does not accept anything."
    for band in story.tainted:
        yield f"{left_behind(band)} {_plain(band.injection.fault)}: {band.fate}."


def _promises(story: Story) -> str:
    lines = [
        "## Promises",
        "",
        "| id | promise | verdict | because | outage | observations |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_line(row) for row in story.rows]
    return "\n".join(lines)


def _line(row: Row) -> str:
    verdict = f"{words.SIGN[row.outcome]} {words.WORD[row.outcome]}"
    if row.outcome is Outcome.VIOLATES:
        verdict = f"**{verdict}**"
    seen = ", ".join(f"`{_code(oid)}`" for oid in row.evidence[:4])
    more = f" and {len(row.evidence) - 4} more" if len(row.evidence) > 4 else ""
    outage = _plain(outage_words(row)) or ("not measured" if row.about_outage else "not part of it")
    return f"| {row.id} | {_plain(row.promise)} | {verdict} | {_plain(row.because)} | {outage} | {seen}{more} |"


def _hurt(story: Story) -> str:
    if not story.faults:
        return "## What was broken on purpose\n\nNothing."
    lines = [
        "## What was broken on purpose",
        "",
        "| fault | subjects | injected (UTC) | lasted | end |",
        "|---|---|---|---|---|",
    ]
    for band in story.faults:
        lasted = words.seconds((band.ended - band.injected).total_seconds()) if band.ended and band.injected else ""
        lines.append(
            f"| {_plain(band.injection.fault)} | {_plain(words.listing(band.injection.subjects, most=6))} "
            f"| {words.clock(band.injected, digits=3) if band.injected else 'never'} | {lasted} | {band.fate} |"
        )
    return "\n".join(lines)


def _limits(story: Story) -> str:
    lines = ["## What was not seen", ""]
    for unseen in story.unseen[:_MOST_UNSEEN]:
        times = f" ({unseen.times:,} times)" if unseen.times > 1 else ""
        lines.append(f"- `{_code(unseen.subject)}`: {_plain(unseen.why)}{times}")
    if len(story.unseen) > _MOST_UNSEEN:
        lines.append(f"- and {len(story.unseen) - _MOST_UNSEEN} more in report.html")
    if not story.unseen:
        lines.append("Everything that this run set out to look at could be looked at.")
    lines += ["", "By its nature each check leaves something out:", ""]
    lines += [f"- {row.id}: {_plain(row.requirement.not_seen)}" for row in story.rows if row.requirement]
    return "\n".join(lines)


def _files(sources: tuple[Path, ...]) -> str:
    lines = ["## Files", "", "`seatrial judge` reaches these verdicts again from these files alone.", ""]
    lines += [f"    {hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in sources]
    return "\n".join(lines)


def _signatures(story: Story) -> str:
    accepts = story.whole and story.outcome in (Outcome.CONFORMS, Outcome.NOT_APPLICABLE)
    ask = "accepted" if accepts else "accepted in spite of the above, because"
    return f"""## Signature

| | name | date | signature |
|---|---|---|---|
| Ran by | | | |
| {ask.capitalize()} | | | |"""


def _plain(text: str) -> str:
    """Return a text on one line that Markdown shows as it is, also in a table and with HTML switched on."""
    return _SPECIAL.sub(r"\\\1", " ".join(shown(text).split())).replace("\\<", "&lt;").replace("\\>", "&gt;")


def _code(text: str) -> str:
    return " ".join(shown(text).split()).translate(_HARMLESS)
