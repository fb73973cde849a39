"""Laws of the ledger: what is acknowledged and missing is lost, what is unknown never is, and nothing is overlooked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seatrial.traffic.ledger import Entry, settle, told

outcomes = st.sampled_from(["ok", "fail", "unknown"])
ledgers = st.dictionaries(st.integers(1, 40), outcomes.map(lambda outcome: Entry(0.0, 0.1, outcome, "why")))
places = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.dictionaries(st.integers(1, 45), st.integers(1, 3)))


@given(ledgers, places, st.booleans())
def test_every_entry_in_every_place_is_as_it_should_be_or_named(
    entries: dict[int, Entry], found: dict[str, dict[int, int]], whole: bool
) -> None:
    """Lost: acknowledged and absent. Unexpected: present and refused, or never written. Duplicated: more than once."""
    account = settle(entries, found, whole=whole)
    for where, there in found.items():
        lost = {finding.number for finding in account.lost if finding.where == where}
        assert lost == {n for n, entry in entries.items() if entry.outcome == "ok" and n not in there}
        twice = {finding.number for finding in account.duplicated if finding.where == where}
        assert twice == {n for n, count in there.items() if count > 1}
        odd = {finding.number for finding in account.unexpected if finding.where == where}
        assert {n for n in there if n in entries and entries[n].outcome == "fail"} <= odd
        assert not any(entries[n].outcome in ("ok", "unknown") for n in odd if n in entries)


@given(ledgers, places)
def test_what_the_agent_could_not_report_any_more_proves_nothing(
    entries: dict[int, Entry], found: dict[str, dict[int, int]]
) -> None:
    """Entries beyond the last reported are no surprise when the agent was lost."""
    account = settle(entries, found, whole=False)
    last = max(entries, default=0)
    assert all(finding.number <= last for finding in account.unexpected)


@given(ledgers, places)
def test_the_value_counts_what_it_lists(entries: dict[int, Entry], found: dict[str, dict[int, int]]) -> None:
    """Acknowledged, failed and unknown are all there is; counts are whole even where the list is cut."""
    account = settle(entries, found, whole=True)
    value = told("sql_row", entries, found, account)
    assert value["acknowledged"] + value["failed"] + value["unknown"] == len(entries)  # type: ignore[operator]
    assert value["lost_count"] == len(account.lost)
    assert len(value["lost"]) <= len(account.lost)  # type: ignore[arg-type]
