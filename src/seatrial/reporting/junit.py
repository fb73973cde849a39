"""JUnit: one test case per requirement and scenario; what could not be judged is an error, never a pass or a skip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC
from xml.etree import ElementTree as ET

from seatrial.journal.sieve import clean_finished, shown
from seatrial.model.verdict import Outcome
from seatrial.reporting.sentence import outage_words
from seatrial.reporting.story import Row, Story

# What XML 1.0 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(story: Story) -> str:
    """Return the run as JUnit XML."""
    run = story.run
    cases = [case for row in story.rows for case in _cases(story, row)]
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
    properties = ET.SubElement(suite, "properties")
    facts = {"run": run.id, "target": run.plan.target, "seed": str(run.plan.seed), "state": run.state, **run.versions}
    for name, value in facts.items():
        ET.SubElement(properties, "property", {"name": _text(name), "value": _text(value)})
    suite.extend(cases)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return clean_finished('<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n")


def _cases(story: Story, row: Row) -> Iterator[ET.Element]:
    """Yield a case per verdict; one for a requirement that was never judged; one for a merged verdict that differs."""
    for one in row.judged:
        name = f"{row.id}: {one.scenario}" if one.scenario else f"{row.id}: {row.promise}"
        yield _case(
            story, row, name=name, scenario=one.scenario, outcome=one.verdict.outcome, because=one.verdict.because
        )
    if row.outcome not in [one.verdict.outcome for one in row.judged]:
        name = f"{row.id}: {row.promise}"
        yield _case(story, row, name=name, scenario="", outcome=row.outcome, because=row.because)


def _case(story: Story, row: Row, *, name: str, scenario: str, outcome: Outcome, because: str) -> ET.Element:
    took = sum((p.end - p.start).total_seconds() for p in story.phases if scenario and p.scenario == scenario)
    case = ET.Element(
        "testcase",
        {"classname": _text(f"{story.run.plan.suite}.{row.id}"), "name": _text(name), "time": f"{took:.3f}"},
    )
    detail = "\n".join((because, *(f"violating: {subject}" for subject in row.violating)))
    match outcome:
        case Outcome.VIOLATES:
            end = ET.SubElement(case, "failure", {"type": "violates", "message": _text(because)})
            end.text = _text(detail)
        case Outcome.INCONCLUSIVE:
            end = ET.SubElement(case, "error", {"type": "inconclusive", "message": _text(because)})
            end.text = _text(because)
        case Outcome.NOT_APPLICABLE:
            ET.SubElement(case, "skipped", {"type": "not_applicable", "message": _text(because)})
        case Outcome.CONFORMS:
            measured = f"\noutage: {outage_words(row)}" if row.watches else ""
            ET.SubElement(case, "system-out").text = _text(because + measured)
    return case


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", shown(text))
