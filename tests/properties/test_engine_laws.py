"""Laws of merging and of seeds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seatrial.engine.judging import merged
from seatrial.engine.seeds import derived
from seatrial.model.observation import ObservationId, Subject
from seatrial.model.requirement import RequirementId
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
