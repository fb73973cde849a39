"""The catalogue is data that is read strictly."""

from __future__ import annotations

from importlib import resources

import pytest

from seatrial.catalogue.loader import catalogue, find, load
from seatrial.model.errors import BadInput

TEXT = resources.files("seatrial.catalogue").joinpath("requirements.yaml").read_text(encoding="utf-8")


def test_the_nine_promises_are_there_with_source_and_violation() -> None:
    """Each has a section of the architecture document and a deviation on which its check is proven."""
    ids = [requirement.id for requirement in catalogue()]
    assert ids == ["API-1", "API-3", "DB-4", "DB-5", "MSG-2", "SCALE-1", "OPS-1", "OPS-2", "OPS-3"]
    assert all(requirement.sources and requirement.violations for requirement in catalogue())


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ("level: must", "level: shall", "must, should, may"),
        ("promise: >-", "promisse: >-", "did you mean 'promise'"),
        ("id: API-3", "id: API-1", "API-1 again"),
        ('sections: ["An Example: OpenStack Nova"]', "sections: []", "sections"),
        ('sections: ["An Example: OpenStack Nova"]', 'sections: ["An Exampel: OpenStack Nova"]', "An Example"),
        ("violations: [wsrep-off]", "violations: [single-database]", "single-database again"),
        ("violations: [wsrep-off]", "violations: []", "violations"),
    ],
)
def test_what_is_wrong_in_a_catalogue_is_told(before: str, after: str, word: str) -> None:
    """Unknown keys, missing sources and duplicates are refused with their line."""
    assert before in TEXT
    with pytest.raises(BadInput) as caught:
        load(TEXT.replace(before, after, 1), "catalogue")
    assert word in str(caught.value)
    assert "line" in str(caught.value)


def test_unknown_requirements_are_told_with_their_nearest() -> None:
    """All unknown ids at once."""
    with pytest.raises(BadInput) as caught:
        find(["DB-55", "DB-4", "ops-3"])
    assert len(caught.value.problems) == 2
    assert [problem.nearest for problem in caught.value.problems] == ["DB-5", "OPS-3"]
