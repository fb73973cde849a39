"""The requirements as data: strict loading, and look-up that knows near misses. No code that checks them is here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seatrial.catalogue.document import Document, nearest, parse, schema_problems
from seatrial.model.errors import BadInput, Problem
from seatrial.model.requirement import Level, Requirement, RequirementId, Source


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(pattern=r"^[A-Z]+-[0-9]+$")
    promise: str = Field(min_length=10)
    level: Level = Field(strict=False)
    sections: list[str] = Field(min_length=1)
    evidence: list[str] = Field(min_length=1)
    not_seen: str = Field(min_length=10)
    violations: list[str] = Field(min_length=1)


class _Catalogue(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    document: str = Field(min_length=1)
    sections: list[str] = Field(min_length=1)
    requirements: list[_Entry] = Field(min_length=1)


def load(text: str, name: str) -> tuple[Requirement, ...]:
    """Read a catalogue; raises BadInput with everything wrong in it: unknown keys, duplicates, missing sources."""
    document = parse(text, name)
    try:
        catalogue = _Catalogue.model_validate(document.data)
    except ValidationError as error:
        raise BadInput(schema_problems(error, document, _Catalogue)) from error
    problems = list(_contradictions(catalogue, document))
    if problems:
        raise BadInput(problems)
    return tuple(
        Requirement(
            id=RequirementId(entry.id),
            promise=entry.promise,
            level=entry.level,
            sources=tuple(Source(catalogue.document, section) for section in entry.sections),
            evidence=tuple(entry.evidence),
            not_seen=entry.not_seen,
            violations=tuple(entry.violations),
        )
        for entry in catalogue.requirements
    )


def _contradictions(catalogue: _Catalogue, document: Document) -> Iterable[Problem]:
    """Yield what a schema cannot say: ids and violations are unique, sections exist in the document."""
    ids: set[str] = set()
    deviations: set[str] = set()
    for index, entry in enumerate(catalogue.requirements):
        if entry.id in ids:
            yield Problem(document.where(("requirements", index, "id")), f"{entry.id} again", "each id once, ever")
        ids.add(entry.id)
        for number, section in enumerate(entry.sections):
            if section not in catalogue.sections:
                where = document.where(("requirements", index, "sections", number))
                accepted = f"a section of {catalogue.document!r}"
                yield Problem(where, repr(section), accepted, nearest(section, catalogue.sections))
        for number, deviation in enumerate(entry.violations):
            if deviation in deviations:
                where = document.where(("requirements", index, "violations", number))
                yield Problem(where, f"{deviation} again", "a deviation that breaks one requirement")
            deviations.add(deviation)


@cache
def catalogue() -> tuple[Requirement, ...]:
    """Return the requirements that this version of Seatrial knows, in the catalogue's order."""
    name = "requirements.yaml"
    return load(resources.files("seatrial.catalogue").joinpath(name).read_text(encoding="utf-8"), name)


def find(wanted: Sequence[str], where: str = "--requirement") -> tuple[Requirement, ...]:
    """Return the named requirements; raises BadInput that lists every unknown id with its nearest known one."""
    known = {str(requirement.id): requirement for requirement in catalogue()}
    problems = [
        Problem(where, f"unknown requirement {word!r}", ", ".join(known), nearest(word, list(known)))
        for word in wanted
        if word not in known
    ]
    if problems:
        raise BadInput(problems)
    return tuple(known[word] for word in dict.fromkeys(wanted))
