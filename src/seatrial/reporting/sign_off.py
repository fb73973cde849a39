"""The document that a person signs: every line can be traced to the run's files, whose hashes stand in it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from seatrial.journal.sieve import clean_finished, shown
from seatrial.model.verdict import Outcome
from seatrial.reporting import words
from seatrial.reporting.brief import NAMED, brief, cut, few, middle_cut
from seatrial.reporting.sentence import facts, outage_words
from seatrial.reporting.story import FaultBand, Row, Story
from seatrial.reporting.summary import Summary, summarise
from seatrial.reporting.wiring import Wiring
from seatrial.waiting import DEADLINES

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")
_MOST_UNSEEN = 40
# Within backticks Markdown shows everything as it is but these: one ends the code, one the cell, two may open HTML.
_HARMLESS = str.maketrans({"`": "'", "|": "\N{BROKEN BAR}", "<": "(", ">": ")"})


def sign_off(story: Story, wiring: Wiring, sources: tuple[Path, ...]) -> str:
    """Return the document in Markdown; ``sources`` are the files whose hashes it vouches for."""
    summary = summarise(story)
    parts = [
        _head(story, summary),
        _blocks(story, summary),
        _figures(story, wiring),
        _promises(story),
        _rules(story),
        _not_tried(story),
        _hurt(story),
        _limits(story),
        _files(sources),
        _signatures(story),
    ]
    return clean_finished("\n\n".join(part for part in parts if part) + "\n")


def _head(story: Story, summary: Summary) -> str:
    plan = story.run.plan
    return f"""# Sea trial of {_plain(plan.target)}: {_plain(plan.suite)}

**{words.SIGN[story.outcome]} {_plain(summary.verdict)}**"""


def _blocks(story: Story, summary: Summary) -> str:
    """Return what stands first, a row each: a document that is looked at in the night begins with what is so now."""
    now = f"{'!' if summary.hurt else words.SIGN[Outcome.CONFORMS]} {_plain(summary.now)}"
    rows = [("NOW", f"**{now}**" if summary.hurt else now)]
    rows += [("", _plain(few(one.names))) for one in summary.left if one.names]
    rows += [("", f"`{_code(summary.undo)}`")] if summary.undo else []
    rows += [("", f"by hand: {_plain(line)}") for line in summary.by_hand[:NAMED]]
    if len(summary.by_hand) > NAMED:
        rows.append(("", f"+{len(summary.by_hand) - NAMED} more by hand in report.html"))
    rows.append(("VERDICT", _plain(summary.counts)))
    if not story.whole:
        rows.append(("", "The run did not come to its end: this document does not accept anything."))
        rows.append(("", _plain(summary.ending.words)))
    if summary.cause:
        rows.append(("", f"because {_plain(summary.cause)}"))
    rows += [
        ("", _plain(f"{band.injection.fault} of {few(band.injection.subjects, 60)}: {_fate(band)}"))
        for band in story.everything
        if band.failed and band.restored
    ]
    label = "NEXT"
    for step in summary.next:
        rows.append((label, f"{_plain(step.about)}: {_plain(step.what)}"))
        rows += [("", f"`{_code(step.command)}`")] if step.command else []
        label = ""
    rows.append(("TRIED", _plain(", ".join(summary.tried))))
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {said} |" for name, said in rows)])


def _fate(band: FaultBand) -> str:
    taken = f"; taken back at {words.day_and_clock(band.ended)}" if band.ended else ""
    return f"could not be taken back at first{taken}"


def _figures(story: Story, wiring: Wiring) -> str:
    run = story.run
    figures = "\n".join(
        f"- {_plain(fact.figure)} {_plain(fact.what)}" + (f": {_plain(fact.note)}" if fact.note else "")
        for fact in facts(story, wiring)
    )
    versions = "".join(f"\n| Version of {_plain(name)} | {_plain(version)} |" for name, version in run.versions.items())
    return f"""{figures}

| | |
|---|---|
| Run | `{_code(run.id)}` |
| Time | {words.day_and_clock(story.first)} to {words.day_and_clock(story.last)} |
| Grant | {_plain(run.plan.grant)} |
| Seed | {run.plan.seed} |{versions}"""


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
    seen = ", ".join(f"`{_code(oid)}`" for oid in row.evidence[:NAMED])
    more = f" and {len(row.evidence) - NAMED} more" if len(row.evidence) > NAMED else ""
    outage = _plain(outage_words(row)) or ("not measured" if row.about_outage else "not part of it")
    because = _plain(brief(row.because))
    return f"| {row.id} | {_plain(brief(row.promise))} | {verdict} | {because} | {outage} | {seen}{more} |"


def _rules(story: Story) -> str:
    """Return the thresholds that verdicts were reached by, those that are not the usual ones first and marked."""
    used = story.run.plan.budgets
    changed = {name: value for name, value in used.items() if name in DEADLINES and value != DEADLINES[name].seconds}
    usual = [f"{_plain(name)} {words.seconds(value)}" for name, value in used.items() if name not in changed]
    lines = ["## Thresholds", ""]
    for name, value in changed.items():
        than = "more" if value > DEADLINES[name].seconds else "less"
        usually = words.seconds(DEADLINES[name].seconds)
        lines.append(
            f"- **{_plain(name)} {words.seconds(value)}**, {than} than the usual {usually}: {DEADLINES[name].meaning}"
        )
    if not changed:
        lines.append("All as usual:")
    lines += [f"- {', '.join(usual[at : at + 4])}" for at in range(0, len(usual), 4)] or ["- none were written down"]
    limits = [
        f"{number} of {'any component' if name == '*' else _plain(name)}"
        for name, number in story.run.plan.limits.items()
    ]
    lines += [f"- down at once at most: {', '.join(limits[at : at + 4])}" for at in range(0, len(limits), 4)]
    return "\n".join(lines)


def _not_tried(story: Story) -> str:
    """Return what the plan left out, and why; a document that is silent about it would claim too much."""
    left_out = [
        f"- {', '.join(entry.requirements)}: {_plain(brief(entry.scenario, 60))}: {_plain(brief(entry.why, 60))}"
        for entry in story.run.plan.not_tried
    ]
    left_out += [f"- {row.id}: {_plain(brief(row.because))}" for row in story.rows if not row.was_judged]
    return "\n".join(["## What was not tried", "", *left_out]) if left_out else ""


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
            f"| {_plain(cut(band.injection.fault, 60))} | {_plain(few(band.injection.subjects))} "
            f"| {words.clock(band.injected, digits=3) if band.injected else 'never'} | {lasted} | {band.fate} |"
        )
    return "\n".join(lines)


def _limits(story: Story) -> str:
    lines = ["## What was not seen", ""]
    for unseen in story.unseen[:_MOST_UNSEEN]:
        times = f" ({unseen.times:,} times)" if unseen.times > 1 else ""
        lines.append(f"- `{_code(middle_cut(unseen.subject, 100))}`: {_plain(brief(unseen.why))}{times}")
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
