"""The page for people: one HTML file that opens offline, made of a Story, two drawings and a template."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from seatrial.journal.sieve import clean_finished, clean_json, shown
from seatrial.model.journal import Event
from seatrial.model.observation import Json
from seatrial.model.verdict import Outcome
from seatrial.reporting import brief, plain, words
from seatrial.reporting.map_picture import map_note, map_picture
from seatrial.reporting.sentence import facts
from seatrial.reporting.story import Row, Story
from seatrial.reporting.summary import summarise
from seatrial.reporting.timeline import closer_looks, timeline
from seatrial.reporting.wiring import Wiring

_APPENDIX_BYTES = 8_000_000
_MOST_VALUE = 6_000
_MOST_EXCERPT = 2_000
_MOST_OBSERVATIONS = 60
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Shown:
    """One observation as the appendix shows it."""

    id: str
    probe: str
    subject: str
    asked_at: str
    took: str
    error: str
    value: str
    excerpt: str
    line: int
    """Of journal.jsonl, where it stands whole."""
    elsewhere: str = ""
    """The requirement under which it is shown already."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """What the appendix shows of one requirement."""

    row: Row
    shown: tuple[Shown, ...]
    left_out: int
    """Observations that the page has no room for; the journal has them."""


def page(story: Story, wiring: Wiring) -> str:
    """Return the whole page; it loads nothing, and its own policy forbids that it could."""
    style, script = _asset("report.css"), _asset("report.js")
    hashed = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    shown = dossiers(story)
    html = (
        _environment()
        .get_template("report.html.j2")
        .render(
            story=story,
            run=story.run,
            wiring=wiring,
            summary=summarise(story),
            not_tried=story.run.plan.not_tried,
            facts=facts(story, wiring),
            timeline=timeline(story),
            closer=closer_looks(story),
            map=map_picture(wiring),
            map_note=map_note(wiring),
            dossiers=shown,
            anchors={one.id for dossier in shown for one in dossier.shown},
            outages=sorted(story.outages, key=lambda outage: -outage.took_s),
            style=Markup(style),  # noqa: S704 - the package's own file
            script=Markup(script),  # noqa: S704 - the package's own file
            script_hash=hashed,
        )
    )
    return clean_finished(html)


@cache
def _asset(name: str) -> str:
    return resources.files("seatrial.reporting").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    """Return a template environment in which every text is cleaned, then escaped, and every unknown name an error."""
    environment = Environment(
        loader=PackageLoader("seatrial.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "seconds": words.seconds,
        "clock": words.clock,
        "moment": words.day_and_clock,
        "plural": words.plural,
        "short": words.short,
        "names": lambda names, most: words.listing(list(names), most=most),
        "few": brief.few,
        "nick": brief.nick,
        "name": lambda name: brief.middle_cut(name, _LONGEST_NAME),
        "brief": brief.brief,
        "cut": lambda text: brief.middle_cut(text, brief.MOST),
        "oneline": lambda text: " ".join(shown(text).split()),
        "data": pretty,
        "recipe": lambda recipe: _json(dict(recipe)),
    }
    environment.globals |= {"Outcome": Outcome, "WORD": words.WORD, "SIGN": words.SIGN}
    return environment


def _finalize(value: object) -> object:
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def pretty(value: Mapping[str, object]) -> str:
    """Word a small mapping of the run's facts on one line, without what looks like a secret."""
    return ", ".join(f"{key} {_scalar(item)}" for key, item in value.items()) or "none"


def _scalar(item: object) -> str:
    return f"{item:g}" if isinstance(item, float) else str(item)


def dossiers(story: Story) -> tuple[Dossier, ...]:
    """Return what the appendix shows, within its share of the page's size; each observation once."""
    budget = _APPENDIX_BYTES // max(len(story.rows), 1)
    placed: dict[str, str] = {}
    return tuple(_dossier(story, row, placed, budget) for row in story.rows)


def _dossier(story: Story, row: Row, placed: dict[str, str], budget: int) -> Dossier:
    shown: list[Shown] = []
    known = [str(oid) for oid in row.evidence if oid in story.observed]
    # Looks that failed explain an inconclusive verdict: they come before the rest of the evidence.
    known.sort(key=lambda oid: story.observed[oid].data.get("error") is None)
    for oid in known:
        if budget <= 0 or len(shown) >= _MOST_OBSERVATIONS:
            break
        one = _shown(story.observed[oid], placed.get(oid, ""))
        placed.setdefault(oid, row.id)
        budget -= len(one.value) + len(one.excerpt) + 400
        shown.append(one)
    return Dossier(row, tuple(shown), len(known) - len(shown))


def _shown(event: Event, elsewhere: str) -> Shown:
    data = event.data
    took = plain.number(data, "took_s")
    value = data.get("value")
    return Shown(
        id=plain.text(data, "id"),
        probe=plain.text(data, "probe"),
        subject=plain.text(data, "subject"),
        asked_at=words.clock(plain.moment(data, "asked_at") or event.at_utc, digits=3),
        took="" if took is None else words.seconds(took),
        error="" if elsewhere else _cut(plain.text(data, "error"), _MOST_EXCERPT),
        value="" if elsewhere or value is None else _cut(_json(value), _MOST_VALUE),
        excerpt="" if elsewhere else _cut(plain.text(data, "excerpt"), _MOST_EXCERPT),
        line=event.seq,
        elsewhere=elsewhere,
    )


def _json(value: Json) -> str:
    return json.dumps(clean_json(value), indent=1, ensure_ascii=False)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\n… {len(text) - most:,} characters more in journal.jsonl"
