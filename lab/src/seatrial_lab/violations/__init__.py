"""Named deviations: each breaks exactly one requirement, in one declared way, on a running lab."""

from __future__ import annotations

import difflib

from seatrial_lab.errors import UnknownName
from seatrial_lab.violations import (
    classic_queues,
    drift_uncorrected,
    foreign_table_reader,
    lying_condition,
    one_node_for_all,
    orphan_operator,
    path_through_operator,
    single_database,
    tokenless_keystone,
    wsrep_off,
)
from seatrial_lab.violations.deviation import Violation

ALL: dict[str, Violation] = {
    module.VIOLATION.name: module.VIOLATION
    for module in (
        classic_queues,
        drift_uncorrected,
        foreign_table_reader,
        lying_condition,
        one_node_for_all,
        orphan_operator,
        path_through_operator,
        single_database,
        tokenless_keystone,
        wsrep_off,
    )
}


def named(name: str) -> Violation:
    """Return the deviation of this name; raise UnknownName with those that exist."""
    if name in ALL:
        return ALL[name]
    near = difflib.get_close_matches(name, ALL, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    msg = f"no deviation {name!r}; there are: {', '.join(sorted(ALL))}{hint}"
    raise UnknownName(msg)
