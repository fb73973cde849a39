"""Cuts what a run says down to what a person takes in at a glance: one line, short names first.

What belongs here: shortening. The whole text stays where it was: in the journal, and on the page inside a fold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from seatrial.journal.sieve import shown
from seatrial.reporting.words import short

MOST = 120
"""Characters of a line that stands outside a fold."""
NAMED = 2
"""Names of a list that stand outside a fold."""

_SUBJECT = r"(?<![\w./:-])[a-z][a-z0-9]*/[^\s/,;:()'\"]+/[^\s/,;:()'\"]+"
_ONE = re.compile(_SUBJECT)
_LIST = re.compile(rf"{_SUBJECT}(?:, {_SUBJECT}){{{NAMED},}}(?:,? and {_SUBJECT})?")
_DATA = re.compile(r"[\s:=(]*[\[{]+\s*[\"'{\[].*", re.DOTALL)
"""Where data begins that nobody reads on one line: a recipe, an answer."""
_ADDRESS = re.compile(r"(\b[a-z]+://[^\s/]+/)\S*/(?=[^\s/]+)")
_POD = re.compile(r"(.+?)(?:-controller-manager)?-[0-9a-f]{6,10}-([a-z0-9]{5})")
_ENDS = re.compile(r"(?<=\S)[.;](?= )")


def brief(text: str, most: int = MOST) -> str:
    """Return one line of at most ``most`` characters: the first sentence that fits, without data, names shortened."""
    line = _ADDRESS.sub(r"\1…/", names_shortened(first_line(shown(text))))
    if _DATA.search(line):
        line = _DATA.sub("", line).rstrip(" :,;") or "(data, in the journal)"
    if len(line) <= most:
        return line
    ends = [match.start() for match in _ENDS.finditer(line, most // 3, most - 1)]
    return f"{line[: ends[-1]]}…" if ends else cut(line, most)


def first_line(text: str) -> str:
    """Return the line that says what happened: the first, or the last of a traceback."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[-1] if lines[0].startswith("Traceback (") else lines[0]


def cut(text: str, most: int) -> str:
    """Return the text, cut between two words when it is longer than ``most`` characters."""
    if len(text) <= most:
        return text
    head = text[: most - 1]
    space = head.rfind(" ")
    return (head[:space] if space > most // 2 else head).rstrip(" ,;:(") + "…"


def names_shortened(text: str) -> str:
    """Return the text with each subject called as people call it; of a list the first two, and how many more."""

    def listed(match: re.Match[str]) -> str:
        found = _ONE.findall(match[0])
        return f"{', '.join(found[:NAMED])} and {len(found) - NAMED} more"

    return _ONE.sub(lambda match: nick(match[0]), _LIST.sub(listed, text))


def few(subjects: Sequence[str], most: int = MOST) -> str:
    """Return the first two by their short names, and how many more there are: ``a, b, +8 more``."""
    more = f", +{len(subjects) - NAMED} more" if len(subjects) > NAMED else ""
    room = (most - len(more)) // max(min(len(subjects), NAMED), 1) - 2
    return ", ".join(middle_cut(nick(subject), room) for subject in subjects[:NAMED]) + more


def nick(subject: str) -> str:
    """Return what a subject is called in a line: a pod of a Deployment without what all of its kind have in common."""
    name = short(subject)
    pod = _POD.fullmatch(name)
    return f"{pod[1]}-…-{pod[2]}" if pod else name


def middle_cut(name: str, most: int) -> str:
    """Return a name without its middle when it is too long: its beginning says what it is, its end which one."""
    name = " ".join(shown(name).split())
    if len(name) <= most:
        return name
    tail = most // 3
    return f"{name[: most - tail - 1]}…{name[len(name) - tail :]}"
