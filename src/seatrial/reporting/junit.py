"""JUnit: one test case per requirement; what could not be judged is an error, never a pass or a skip.

A message is one line; everything else that was said stands in the case's output.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from xml.etree import ElementTree as ET

from seatrial.journal.sieve import clean_finished, shown
from seatrial.model.verdict import Outcome
from seatrial.reporting.brief import MOST, brief, cut
from seatrial.reporting.sentence import outage_words
from seatrial.reporting.story import Row, Story
from seatrial.reporting.summary import Summary, summarise
from seatrial.reporting.words import WORD

# What XML 1.0 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(story: Story) -> str:
    """Return the run as JUnit XML."""
    run, summary = story.run, summarise(story)
    cases = [*(_case(story, row) for row in story.rows), *_not_tried(story)]
    lasted = (story.last - story.first).total_seconds()
    suite = ET.Element(
        "testsuite",
        {
            "name": _text(f"seatrial.{run.plan.suite}"),
            "tests": str(len(cases)),
            "failures": str(sum(case.find("failure") is not None for case in cases)),
            "errors": str(sum(case.find("error") is not None for case in cases)),
            "skipped": str(sum(case.find("skipped") is not None for case in cases)),
            "time": f"{lasted:.3f}",
            "timestamp": f"{run.started_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
            "hostname": _text(run.plan.target),
        },
    )
    facts = {"run": run.id, "target": run.plan.target, "seed": str(run.plan.seed), "state": summary.ending.words}
    suite.append(_properties({**facts, **run.versions}))
    suite.extend(cases)
    ET.SubElement(suite, "system-out").text = _text("\n".join(_summary(summary)))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return clean_finished('<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n")


def _not_tried(story: Story) -> Iterator[ET.Element]:
    """Yield a case for each scenario that was left out: skipped, with the reason."""
    for entry in story.run.plan.not_tried:
        names = ", ".join(entry.requirements)
        about = {"classname": _text(f"{story.run.plan.suite}.{names}"), "name": _text(cut(shown(entry.scenario), MOST))}
        case = ET.Element("testcase", {**about, "time": "0.000"})
        case.append(_properties({"requirement": names, "outcome": "not_tried"}))
        ET.SubElement(case, "skipped", {"type": "not_tried", "message": _text(brief(entry.why))})
        yield case


def _case(story: Story, row: Row) -> ET.Element:
    scenarios = {one.scenario for one in row.judged if one.scenario}
    took = sum((phase.end - phase.start).total_seconds() for phase in story.phases if phase.scenario in scenarios)
    name = cut(f"{row.id}: {shown(row.promise)}", MOST)
    suite = story.run.plan.suite
    case = ET.Element("testcase", {"classname": _text(f"{suite}.{row.id}"), "name": _text(name), "time": f"{took:.3f}"})
    known = {"requirement": row.id, "outcome": row.outcome.value}
    if row.requirement is not None:
        known["level"] = row.requirement.level.value
    if row.watches:
        known["longest_outage_s"] = f"{max(watch.longest_s for watch in row.watches):.3f}"
    case.append(_properties(known))
    said = _text(brief(row.because))
    ends = {
        Outcome.VIOLATES: ("failure", "violates"),
        Outcome.INCONCLUSIVE: ("error", "inconclusive"),
        Outcome.NOT_APPLICABLE: ("skipped", "not_applicable"),
    }
    if row.outcome in ends:
        kind, why = ends[row.outcome]
        ET.SubElement(case, kind, {"type": why, "message": said})
    ET.SubElement(case, "system-out").text = _text("\n".join(_details(row)))
    return case


def _details(row: Row) -> Iterator[str]:
    yield row.because
    yield from (f"violating: {subject}" for subject in row.violating)
    if row.watches:
        yield f"outage: {outage_words(row)}"
    for one in row.judged:
        if one.scenario and (len(row.judged) > 1 or one.verdict.because != row.because):
            yield f"{one.scenario}: {WORD[one.verdict.outcome]}: {one.verdict.because}"


def _summary(summary: Summary) -> Iterator[str]:
    yield f"NOW: {summary.now}"
    yield f"VERDICT: {summary.verdict}"
    yield f"verdicts: {summary.counts}"
    if summary.ending.kind != "complete":
        yield f"ENDED: {summary.ending.words}"
    if summary.cause:
        yield f"CAUSE: {summary.cause}"
    yield from (f"BY HAND: {line}" for line in summary.by_hand)
    for step in summary.next:
        yield f"NEXT: {step.about}: {step.what}"
        if step.command:
            yield step.command
    yield f"TRIED: {', '.join(summary.tried)}"
    if summary.undo:
        yield summary.undo


def _properties(known: Mapping[str, str]) -> ET.Element:
    properties = ET.Element("properties")
    for name, value in known.items():
        ET.SubElement(properties, "property", {"name": _text(name), "value": _text(value)})
    return properties


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", shown(text))
