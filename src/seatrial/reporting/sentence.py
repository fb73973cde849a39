"""The one sentence that sums a run up, and the handful of figures beside it: the same on page, paper and terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from seatrial.model.verdict import Outcome
from seatrial.reporting.brief import few, middle_cut
from seatrial.reporting.story import LoadPoint, Row, Story
from seatrial.reporting.wiring import Wiring
from seatrial.reporting.words import clock, listing, plural, seconds

_BROKEN_OFF_S = 5.0
"""Two points of a load that are further apart belong to two loads."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure with its unit and what it means."""

    figure: str
    what: str
    note: str = ""
    bad: bool = False


def headline(story: Story, *, longest: int = 1000) -> str:
    """Return the run's verdict in one sentence; it never says more than was judged.

    ``longest``: characters of the target's name that are shown.
    """
    target = middle_cut(story.run.plan.target, longest)
    broken = [row.id for row in story.rows if row.outcome is Outcome.VIOLATES]
    unclear = [row.id for row in story.rows if row.outcome is Outcome.INCONCLUSIVE]
    kept = sum(row.outcome is Outcome.CONFORMS for row in story.rows)
    total = plural(len(story.rows), "promise")
    if not story.rows:
        return f"Nothing was judged of {target}."
    if broken:
        rest = f"; {listing(unclear)} could not be judged" if unclear else ""
        return f"{target} breaks {len(broken)} of {total}: {listing(broken, most=5)}{rest}."
    if unclear:
        if len(unclear) == len(story.rows):
            return f"None of {total} of {target} could be judged."
        which = f"{len(unclear)} of {total} could not be judged: {listing(unclear, most=5)}"
        return f"No promise of {target} was seen broken, but {which}."
    if not kept:
        return f"None of {total} applies to {target}."
    rest = "" if kept == len(story.rows) else f" that apply ({len(story.rows) - kept} do not)"
    untried = left_out(story)
    if untried:
        rest = f" that it was tried on{rest and ' and'}{rest} ({len(untried)} not tried: {listing(untried, most=5)})"
    promises = plural(kept, "promise")
    return f"{target} keeps {'all ' if kept > 1 else ''}{promises}{rest}{_under(story)}."


def left_out(story: Story) -> list[str]:
    """Return the promises that the selection holds and of which no scenario was tried."""
    named = dict.fromkeys(str(one) for entry in story.run.plan.not_tried for one in entry.requirements)
    return [one for one in named if one not in story.run.plan.requirements]


def _under(story: Story) -> str:
    injected = sum(f.injected is not None for f in story.faults)
    with_load = "under load" if story.load else ""
    with_faults = f"through {plural(injected, 'fault')}" if injected else ""
    said = " and ".join(part for part in (with_load, with_faults) if part)
    return f", {said}" if said else ""


def facts(story: Story, wiring: Wiring) -> tuple[Fact, ...]:
    """Return the figures that a person looks for first."""
    found = [_faults(story), _outage(story), _users(story), _writes(story), _connections(wiring)]
    return tuple(fact for fact in found if fact is not None)


def _faults(story: Story) -> Fact:
    injected = [f for f in story.faults if f.injected]
    if story.faults and not injected:
        return Fact("0", "faults injected", f"{plural(len(story.faults), 'fault')} prepared only")
    if not injected:
        return Fact("0", "faults injected", "nothing was broken on purpose")
    open_ones = [f for f in injected if not f.restored]
    note = f"{len(open_ones)} not undone" if open_ones else "all undone and proven gone"
    what = "fault injected" if len(injected) == 1 else "faults injected"
    return Fact(f"{len(injected):,}", what, note, bad=bool(open_ones))


def _outage(story: Story) -> Fact | None:
    worst = story.worst_outage
    if worst is not None:
        cause = f", during {few(worst.during, 60)}" if worst.during else ""
        return Fact(seconds(worst.took_s), "longest outage", f"path {middle_cut(worst.path, 24)}{cause}")
    if story.watches:
        return Fact("0 s", "longest outage", f"{plural(len(story.watches), 'measurement')}, every answer came")
    return None


def _users(story: Story) -> Fact | None:
    """Word what the users of the load saw, who do more than ask for a page that answers while work waits."""
    if not story.load:
        return None
    worst, at = longest_silence(story.load)
    if not worst:
        return Fact("0 s", "without an answer to users", "each interval of the load had one")
    when = f", until {clock(at)}" if at is not None else ""
    return Fact(seconds(worst), "without an answer to users", f"longest stretch of the load{when}")


def longest_silence(load: Sequence[LoadPoint]) -> tuple[float, datetime | None]:
    """Return how long no user of the load got an answer at most, in whole intervals, and when that was over."""
    worst, ended, since = 0.0, None, None
    before: LoadPoint | None = None
    for point in load:
        connected = before is not None and (point.at - before.at).total_seconds() < _BROKEN_OFF_S
        if point.users and point.rate <= point.failures and connected and before is not None:
            since = since or before.at
            took = (point.at - since).total_seconds()
            if took > worst:
                worst, ended = took, point.at
        else:
            since = None
        before = point
    return worst, ended


def _writes(story: Story) -> Fact | None:
    if not story.ledger:
        return None
    acknowledged = sum(row.acknowledged for row in story.ledger)
    lost = sum(row.lost.count for row in story.ledger)
    wrong = sum(row.duplicated.count + row.unexpected.count for row in story.ledger)
    if lost:
        return Fact(f"{lost:,}", "writes missing", f"of {acknowledged:,} acknowledged, place by place", bad=True)
    if wrong:
        return Fact(f"{wrong:,}", "writes wrong", "found twice, or found though refused", bad=True)
    return Fact(f"{acknowledged:,}", "acknowledged writes", "all found afterwards, none twice")


def _connections(wiring: Wiring) -> Fact | None:
    if not wiring.censuses:
        return None
    forbidden = wiring.of("forbidden")
    if forbidden:
        who = few(list(dict.fromkeys(link.source.component for link in forbidden)), 60)
        what = "forbidden connection" if len(forbidden) == 1 else "forbidden connections"
        return Fact(f"{len(forbidden):,}", what, f"opened by {who}", bad=True)
    unproven = len(wiring.of("unproven"))
    note = f"none forbidden, {unproven} unproven" if unproven else "none forbidden"
    return Fact(f"{len(wiring.links):,}", "kinds of connection seen", note)


def outage_words(row: Row) -> str:
    """Word how long the paths that were measured for a requirement did not answer, the worst of each."""
    return ", ".join(f"{middle_cut(watch.path, 24)} {seconds(watch.longest_s)}" for watch in row.watches)
