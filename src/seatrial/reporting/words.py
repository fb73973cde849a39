"""How numbers, times and outcomes read: one wording for the page, the sign-off and the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from seatrial.model.verdict import Outcome

WORD = {
    Outcome.VIOLATES: "violates",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.CONFORMS: "conforms",
    Outcome.NOT_APPLICABLE: "not applicable",
}
# Never the colour alone: a sign of another shape stands for each outcome wherever one is shown.
SIGN = {
    Outcome.VIOLATES: "✕",
    Outcome.INCONCLUSIVE: "?",
    Outcome.CONFORMS: "✓",
    Outcome.NOT_APPLICABLE: "–",  # noqa: RUF001 - a dash is what it is
}


def seconds(value: float) -> str:
    """Word a duration given in seconds: ``0.84 s``, ``12.3 s``, ``2 min 05 s``, ``1 h 02 min``."""
    if value < 0:
        return "-" + seconds(-value)
    if round(value, 2) < 10:
        return f"{value:.2f} s" if value else "0 s"
    if round(value, 1) < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def clock(moment: datetime, *, digits: int = 0) -> str:
    """Word the time of day in UTC, with so many digits of a second (0 to 3)."""
    utc = moment.astimezone(UTC)
    if not digits:
        return f"{utc:%H:%M:%S}"
    return f"{utc:%H:%M:%S}.{utc.microsecond // 10 ** (6 - digits):0{digits}d}"


def day_and_clock(moment: datetime) -> str:
    """Word a moment in UTC to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Word a count with its noun: ``1 fault``, ``1,200 faults``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listing(names: Sequence[str], *, most: int = 3) -> str:
    """Word a list in a sentence, with the first ``most`` names: ``a, b and 4 more``."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most:,} more")
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def short(subject: str) -> str:
    """Return the part of a subject that a person calls it by: ``pod/openstack/galera-0`` is ``galera-0``."""
    return subject.rsplit("/", 1)[-1] or subject
