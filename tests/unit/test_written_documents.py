"""Documents that people write: told in the house's words, and never a burden, whatever they hold."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seatrial import waiting
from seatrial.catalogue.document import TooMuch, parse, plain
from seatrial.entry.target import _Target, load_target
from seatrial.model.errors import BadInput


def bomb(levels: int) -> str:
    """Return a short document that is ten times as long with each level, once its aliases are written out."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


MERGED = "a: &a {x: 1}\n" + "".join(
    f"{'abcdefghij'[n]}: &{'abcdefghij'[n]} {{<<: [{', '.join(['*' + 'abcdefghij'[n - 1]] * 10)}]}}\n"
    for n in range(1, 8)
)


@pytest.mark.parametrize("text", [bomb(9), MERGED, "a: &a [*a]", "a: &a {b: [*a, *a]}", "x" * 1_000_001])
def test_a_document_that_grows_without_bounds_is_refused(text: str, tmp_path: Path) -> None:
    """Aliases in aliases, merges in merges, an alias of itself, sheer length: at once, and in one line."""
    with pytest.raises(TooMuch):
        plain(text)
    file = tmp_path / "target.yaml"
    file.write_text(text)
    with pytest.raises(BadInput) as caught:
        load_target(file)
    [problem] = caught.value.problems
    assert "a document as people write them" in str(problem)


def test_aliases_as_people_use_them_are_fine() -> None:
    """An anchor saves repeating oneself, and that is what it is for."""
    assert parse(bomb(3), "t").data["a1"] == [["x"] * 10] * 10


@given(st.recursive(st.none() | st.integers() | st.text(max_size=4), lambda inner: st.lists(inner, max_size=4)))
def test_what_is_read_with_bounds_is_what_yaml_reads(value: object) -> None:
    """The bound changes nothing about documents inside it."""
    text = yaml.safe_dump(value)
    assert plain(text) == yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name:\tx\n\tgrant: observe\n", "found character '\\t' that cannot start any token; accepted: spaces there"),
        (
            "waivers: [{requirement: DB-5, reason: '', owner: o, expires: 2030-01-01}]\n",
            "reason: found ''; accepted: a text that is not empty",
        ),
    ],
)
def test_mistakes_are_told_in_the_words_of_the_house(text: str, said: str, tmp_path: Path) -> None:
    """Not in those of a library."""
    file = tmp_path / "target.yaml"
    file.write_text(text)
    with pytest.raises(BadInput) as caught:
        load_target(file)
    assert any(said in str(problem) for problem in caught.value.problems), caught.value


@given(st.sampled_from(sorted(waiting.DEADLINES)), st.floats(allow_nan=True, allow_infinity=True))
def test_a_budget_is_a_number_up_to_ten_times_the_default(name: str, value: float) -> None:
    """Whoever waits a day for a failover tries nothing."""
    default = waiting.DEADLINES[name].seconds
    if 0 < value <= 10 * default:
        assert waiting.budgets({name: value})[name] == value
    else:
        with pytest.raises(BadInput, match=f"budgets.{name}"):
            waiting.budgets({name: value})


def test_the_reference_names_every_key_and_budget() -> None:
    """docs/target.md: each key of the schema, and each budget with its default and what it limits."""
    text = (Path(__file__).parents[2] / "docs/target.md").read_text()
    for name, deadline in waiting.DEADLINES.items():
        assert f"| `{name}` | {deadline.seconds:g} | {deadline.meaning} |" in text
    for name, field in _Target.model_fields.items():
        parts = (field.annotation, *get_args(field.annotation))
        below = [key for part in parts if name != "waivers" for key in getattr(part, "model_fields", ())]
        keys = [f"{name}.{key}" for key in below] or [name]
        for key in keys:
            assert f"| `{key}" in text, key
