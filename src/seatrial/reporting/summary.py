"""What whoever was woken up needs first, as one value: is it hurt now, what to do, what the verdict is, and why.

Page, terminal, sign-off and JUnit all read it. It comes of the stored run alone; none of its texts is longer than a
line, but commands, which are to be pasted.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from seatrial.model.verdict import Outcome
from seatrial.reporting.brief import MOST, brief, cut, few, middle_cut, nick
from seatrial.reporting.sentence import headline
from seatrial.reporting.story import FaultBand, Row, Story
from seatrial.reporting.words import SIGN, WORD, clock, day_and_clock, plural, seconds

_DONE = {
    "pause_process": "frozen",
    "kill_process": "killed",
    "delete_pod": "deleted",
    "delete_object": "deleted",
    "scale_away": "scaled away",
    "set_replicas": "scaled",
}
_SAID = MOST - 12
"""Characters of a sentence here: in front of it there may be a label or a sign."""
_LONGEST_COMMAND = 300
"""Of a command that was written down in the run; one that is cut is none."""
_MOST_STEPS = 3
_LONGEST_NAME = 40
_ASKED = re.compile(r"interrupted\b|asked to end\b|the command that started this trial\b")
_NOT_BACK = re.compile(r"\bcould not be taken back\b:?\s*")


class By(StrEnum):
    """Who ended a run before its time."""

    NOBODY = ""
    HARNESS = "the harness"
    DEPLOYMENT = "the deployment"
    PERSON = "somebody"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: its kind, who cut it short, and why in one line."""

    kind: str
    """complete, running, interrupted, undo_failed or cut_short."""
    by: By = By.NOBODY
    why: str = ""
    where: str = ""
    """How far it had come."""

    @property
    def words(self) -> str:
        """Return the end in a few words, for example ``cut short by the harness in scenario 3 of 13``."""
        if self.kind == "complete":
            return "complete"
        if self.kind == "running":
            return f"killed, or still going on{self.where}"
        return f"cut short by {self.by}{self.where}"


@dataclass(frozen=True, slots=True)
class Left:
    """Something that the run put into the deployment and that was never proven to be gone."""

    band: FaultBand
    what: str
    """What it is now, without names when there are many."""
    names: tuple[str, ...]
    """Whole; a person sees the first two."""
    by_hand: tuple[str, ...]
    why: str
    """Why taking it back failed, in one line; empty when that was never tried."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do next: what it is about, what is the matter, and what to type, if anything."""

    about: str
    what: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """The first screen."""

    outcome: Outcome
    now: str
    """One sentence: hurt, since when; or whole, as seen when."""
    left: tuple[Left, ...]
    undo: str
    """The exact command; empty when nothing is left."""
    by_hand: tuple[str, ...]
    verdict: str
    counts: str
    ending: Ending
    cause: str
    """What it comes down to, in one sentence; empty when there is nothing the matter."""
    next: tuple[Step, ...]
    tried: tuple[str, ...]
    """What was tried, as far as it is known, a fact each."""

    @property
    def hurt(self) -> bool:
        """Tell whether something is still in the deployment, as far as this run knows."""
        return bool(self.left)


def summarise(story: Story, place: str | None = None) -> Summary:
    """Return what stands first; ``place`` is the run's folder as a person types it, when that is known better."""
    place = story.place if place is None else place
    left = tuple(_left(band) for band in story.open)
    ending = ended(story)
    return Summary(
        outcome=story.outcome,
        now=_now(story, left),
        left=left,
        undo=f"seatrial undo {shlex.quote(place)}" if left else "",
        by_hand=tuple(line for one in left for line in one.by_hand),
        verdict=_verdict(story, ending),
        counts=", ".join(f"{number} {WORD[outcome]}" for outcome, number in story.counts.items()),
        ending=ending,
        cause=_cause(story, ending),
        next=tuple(_next(story, ending, place)),
        tried=tuple(_tried(story)),
    )


def _left(band: FaultBand) -> Left:
    injection = band.injection
    by_hand = tuple(cut(" ".join(line.split()), _LONGEST_COMMAND) for line in injection.by_hand if line.strip())
    if not by_hand and band.injected:
        by_hand = (f"what undoing needs stands in journal.jsonl, on the line prepared of {injection.id}",)
    return Left(band, _what(band), injection.subjects, by_hand, brief(band.undo_error or ""))


def _what(band: FaultBand) -> str:
    injection = band.injection
    if band.is_equipment:
        return f"{injection.fault} {_who(band)}"
    one = len(injection.subjects) == 1
    done = middle_cut(_DONE.get(injection.fault, f"under {injection.fault.replace('_', ' ')}"), _LONGEST_NAME)
    if not band.injected:
        return f"{_who(band)} {'was' if one else 'were'} about to be {done}"
    return f"{_who(band)} {'is' if one else 'are'} {done}"


def _who(band: FaultBand) -> str:
    """Return whom it concerns: the one by name, or how many of what."""
    subjects, component = band.injection.subjects, band.injection.parameters.get("component")
    if len(subjects) == 1:
        return middle_cut(nick(subjects[0]), _LONGEST_NAME)
    kinds = {subject.partition("/")[0] for subject in subjects}
    kind = kinds.pop() if len(kinds) == 1 else "thing"
    if not isinstance(component, str) or not component:
        return plural(len(subjects), middle_cut(kind, _LONGEST_NAME))
    component = middle_cut(component, _LONGEST_NAME)
    if component.endswith("s"):
        return f"{len(subjects)} {component}"
    return f"{plural(len(subjects), middle_cut(kind, _LONGEST_NAME))} of {component}"


def _now(story: Story, left: tuple[Left, ...]) -> str:
    hurts = [one for one in left if not one.band.is_equipment]
    if hurts:
        first = min(hurts, key=lambda one: one.band.touched)
        more = f", and {len(hurts) - 1} more" if len(hurts) > 1 else ""
        sure = "may still be" if any(one.band.injected for one in hurts) else "is most likely not"
        before, since = f"The deployment {sure} hurt: ", f" since {clock(first.band.touched)} UTC{more}"
        return f"{before}{cut(first.what, _SAID - len(before) - len(since))}{since}"
    if left:
        more = f", and {len(left) - 1} more" if len(left) > 1 else ""
        before = "Something of the harness's own is still in the deployment: "
        return f"{before}{cut(left[0].what, _SAID - len(before) - len(more))}{more}"
    injected = [band for band in story.faults if band.injected]
    if not injected:
        return "Whole: nothing was broken on purpose, and nothing is left behind"
    seen = max(band.ended or band.touched for band in injected)
    later = ", by a later undo" if any(band.late for band in story.everything) else ""
    what = "the one fault is" if len(injected) == 1 else f"all {len(injected)} faults are"
    return f"Whole: {what} taken back, the last seen gone at {day_and_clock(seen)}{later}"


def ended(story: Story) -> Ending:
    """Return how the run ended, from its state, whatever version wrote that, and from its journal."""
    state = story.run.state
    if story.whole:
        return Ending("complete")
    where = _where(story)
    if state == "running":
        return Ending("running", By.NOBODY, f"the journal stops at {clock(story.last)} UTC without an end", where)
    head, _, rest = state.partition(": ")
    kind = head.strip().replace(" ", "_")
    rest = rest if kind in ("undo_failed", "interrupted", "cut_short") else state
    if kind == "interrupted" or _ASKED.match(rest):
        why = "it was asked to end, by Ctrl-C or a signal" if rest == "interrupted" else brief(rest, _SAID)
        return Ending("interrupted", By.PERSON, why, where)
    failed = next((band for band in story.everything if band.undo_error or band.failed), None)
    if kind == "undo_failed" or failed is not None or _NOT_BACK.search(state):
        return _undo_failed(failed, rest, where)
    return Ending("cut_short", By.HARNESS, brief(rest, _SAID), where)


def _undo_failed(band: FaultBand | None, said: str, where: str) -> Ending:
    """Return the end of a run that could not take something back: by whom tells whether anybody could look."""
    if band is None:
        return Ending("undo_failed", By.HARNESS, brief(said, _SAID), where)
    why = band.failed or ""
    at_first = " at first" if band.restored else ""
    sentence = f"{_who(band)} ({cut(band.injection.fault, _LONGEST_NAME)}) could not be taken back{at_first}: "
    told = cut(f"{sentence}{brief(why, max(_SAID - len(sentence), 20))}", _SAID)
    return Ending("undo_failed", By.DEPLOYMENT if band.gone is False else By.HARNESS, told, where)


def _where(story: Story) -> str:
    begun = len(dict.fromkeys(phase.scenario for phase in story.phases if phase.scenario))
    planned = len(story.run.plan.scenarios)
    return f" in scenario {begun} of {max(planned, begun)}" if begun else " before its first scenario"


def _verdict(story: Story, ending: Ending) -> str:
    said = headline(story, longest=_LONGEST_NAME)
    accepted = ending.kind == "complete" or story.outcome is Outcome.VIOLATES
    return brief(said if accepted else f"Not accepted. {said}", _SAID)


def _cause(story: Story, ending: Ending) -> str:
    if ending.why:
        return ending.why
    worst = story.rows[0] if story.rows else None
    if worst is None or worst.outcome not in (Outcome.VIOLATES, Outcome.INCONCLUSIVE):
        return ""
    return brief(f"{worst.id}: {worst.because}", _SAID)


def _next(story: Story, ending: Ending, place: str) -> Iterable[Step]:
    """Yield what is to be done, the most urgent first; taking back what is left is said by NOW."""
    broken = [row for row in story.rows if row.outcome is Outcome.VIOLATES]
    yield from _some(broken, "breaks")
    unclear = [row for row in story.rows if row.outcome is Outcome.INCONCLUSIVE]
    blind = [row for row in unclear if row.was_judged]
    yield from _some(blind, "not judged")
    never = [row for row in unclear if not row.was_judged]
    if never:
        yield Step(few([row.id for row in never], 30), "never came to its turn" if len(never) == 1 else "never tried")
    again = [row.id for row in (*blind, *never)]
    if again or ending.kind != "complete":
        yield Step("again", "run what could not be judged once more", _again(story, place, again))
    elif not broken and story.rows:
        yield Step("sign", "every promise that applies was kept: sign-off.md can be signed")


def _some(rows: list[Row], what: str) -> Iterable[Step]:
    for row in rows[:_MOST_STEPS]:
        yield Step(row.id, brief(f"{SIGN[row.outcome]} {what}: {row.because}", _SAID))
    if len(rows) > _MOST_STEPS:
        yield Step(f"+{len(rows) - _MOST_STEPS}", f"{what}: {few([row.id for row in rows[_MOST_STEPS:]], 60)}")


def _again(story: Story, place: str, requirements: Sequence[str]) -> str:
    plan = story.run.plan
    if "+" in plan.suite:
        return ""
    target = "FILE"
    if story.target_file:
        target = os.path.normpath(Path(place) / story.target_file)
    words = ["seatrial", "run", plan.suite, "--target", target, "--seed", str(plan.seed)]
    few_enough = len(requirements) <= _MOST_STEPS and len(requirements) < len(story.rows)
    words += [word for one in requirements for word in ("--requirement", one)] if few_enough else []
    return shlex.join(words)


def _tried(story: Story) -> Iterable[str]:
    run = story.run
    version = _version(story)
    yield middle_cut(run.plan.target, _LONGEST_NAME) + (f" ({version})" if version else "")
    if story.inventory is not None:
        images = {c.image for part in story.inventory.components for r in part.replicas for c in r.containers}
        yield plural(len(story.inventory.nodes), "node")
        yield plural(len(story.inventory.components), "component")
        yield plural(len(images), "image")
    yield f"suite {middle_cut(run.plan.suite, _LONGEST_NAME)}"
    yield f"seed {run.plan.seed}"
    yield f"took {seconds((story.last - story.first).total_seconds())}"
    yield f"Seatrial {middle_cut(run.versions.get('seatrial', 'of an unknown version'), _LONGEST_NAME)}"


def _version(story: Story) -> str:
    """Return the version of OpenStack that the platform's own resources tell of."""
    for kind, key in (("OpenStackVersion", "deployedVersion"), ("OpenStack", "releaseVersion")):
        for resource in story.inventory.of_kind(kind) if story.inventory else ():
            found = resource.status.get(key)
            if isinstance(found, str) and found:
                return f"OpenStack {middle_cut(found, _LONGEST_NAME)}"
    return ""
