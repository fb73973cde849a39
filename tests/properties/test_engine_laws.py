"""Laws of merging, of limits and of seeds."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from seatrial.engine.judging import merged
from seatrial.engine.limits import over_limit
from seatrial.engine.seeds import derived
from seatrial.model.inventory import Component, Inventory, Replica, Role
from seatrial.model.observation import ObservationId, Subject
from seatrial.model.requirement import RequirementId
from seatrial.model.target import Limits
from seatrial.model.verdict import Outcome, Verdict, merge

outcomes = st.sampled_from(Outcome)
some = st.lists(outcomes, min_size=1, max_size=6)


@given(some, some, some)
def test_merging_is_associative_commutative_and_idempotent(
    a: list[Outcome], b: list[Outcome], c: list[Outcome]
) -> None:
    """It does not matter in which order, or how often, parts that are not empty are merged."""
    assert merge([merge([*a, *b]), *c]) is merge([*a, merge([*b, *c])])
    assert merge([*a, *b]) is merge([*b, *a])
    assert merge([*a, *a]) is merge(a)


def test_merging_nothing_is_inconclusive_on_purpose() -> None:
    """No evidence is never a pass, so the empty merge is not neutral: it outweighs *conforms*."""
    assert merge([]) is Outcome.INCONCLUSIVE
    assert merge([merge([]), Outcome.CONFORMS]) is Outcome.INCONCLUSIVE


subjects = st.sampled_from([Subject(f"pod/ns/{letter}") for letter in "abcd"])


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    """Draw a verdict that is consistent in itself."""
    outcome = draw(outcomes)
    violating = tuple(draw(st.sets(subjects, min_size=1))) if outcome is Outcome.VIOLATES else ()
    conforming = tuple(draw(st.sets(subjects)) - set(violating))
    because = draw(st.text(min_size=1, max_size=5))
    return Verdict(RequirementId("DB-5"), outcome, because, conforming, violating, (ObservationId("o-1"),))


@given(st.lists(verdicts(), max_size=5))
def test_merged_verdicts_hide_no_culprit_and_follow_the_order_of_outcomes(parts: list[Verdict]) -> None:
    """The merged outcome is the greatest; who violates in one scenario does not conform in the whole."""
    whole = merged(RequirementId("DB-5"), parts)
    assert whole.outcome is merge(part.outcome for part in parts)
    assert set(whole.violating) == {subject for part in parts for subject in part.violating}
    assert not set(whole.violating) & set(whole.conforming)


@given(st.integers(), st.text(), st.integers(0, 9))
def test_choices_are_a_function_of_the_seed(seed: int, name: str, number: int) -> None:
    """The same run seed gives the same choice; another choice of the same run gets another seed."""
    assert derived(seed, name, number) == derived(seed, name, number)
    assert derived(seed, name, number) != derived(seed, name, number + 1)
    assert 0 <= derived(seed, name) < 2**63


def cluster(size: int) -> Inventory:
    """Return an inventory with one component of this many instances."""
    replicas = tuple(
        Replica(f"db-{n}", "ns", f"u{n}", f"node-{n}", f"10.0.0.{n}", True, "Running", ()) for n in range(size)
    )
    component = Component("galera", "db", "StatefulSet", "ns", Role.DATABASE, size, replicas, ())
    return Inventory(datetime.now(UTC), (), (component,), (), (), (), ())


@given(st.integers(0, 7), st.integers(0, 7), st.data())
def test_never_more_are_down_at_once_than_the_owner_allows(size: int, limit: int, data: st.DataObject) -> None:
    """Whatever is asked for on top of whatever is down: allowed exactly when the sum stays within the limit."""
    names = [Subject(f"pod/ns/db-{n}") for n in range(size)]
    pick = st.sets(st.sampled_from(names)) if names else st.just(set())
    wanted, already = data.draw(pick), data.draw(pick)
    reason = over_limit(Limits({"db": limit}), cluster(size), wanted, already)
    assert (reason is None) == (not wanted or len(wanted | already) <= limit)


@given(st.sampled_from(["db-1", "db", "galera", "db-*", "pod/ns/db-1"]))
def test_protected_names_are_never_touched(protected: str) -> None:
    """An instance is protected by its own name, its component's, its service's, or a pattern."""
    reason = over_limit(Limits({"*": 9}, (protected,)), cluster(3), [Subject("pod/ns/db-1")])
    assert reason is not None
    assert "protected" in reason
