"""Named deviations: each breaks exactly one requirement, in one declared way, on a running lab."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from seatrial_lab.errors import UnknownName
from seatrial_lab.platform.apply import Kubectl


@dataclass(frozen=True, slots=True)
class Violation:
    """One deviation: what it breaks, how it is put in, and how it is taken back."""

    name: str
    breaks: str
    """Id of the requirement."""
    says: str
    """One line for whoever reads the list."""
    apply: Callable[[Kubectl], None]
    revert: Callable[[Kubectl], None]


ALL: dict[str, Violation] = {}


def named(name: str) -> Violation:
    """Return the deviation of this name; raise UnknownName with those that exist."""
    if name in ALL:
        return ALL[name]
    near = difflib.get_close_matches(name, ALL, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    msg = f"no deviation {name!r}; there are: {', '.join(sorted(ALL))}{hint}"
    raise UnknownName(msg)
