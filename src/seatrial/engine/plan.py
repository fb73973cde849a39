"""What would run, what it would hurt, and which grant it needs: from the scenarios and their tags. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from seatrial.catalogue.document import nearest
from seatrial.catalogue.loader import catalogue, find
from seatrial.model.errors import BadInput, Problem
from seatrial.model.requirement import RequirementId
from seatrial.model.target import Grant

REQUIREMENT = "requirement:"
TAGS: Mapping[str, str] = {
    "observe": "reads only",
    "mutate": "changes the deployment in a way that nobody's service notices, and takes it back",
    "disrupt": "breaks something on purpose, and takes it back",
    "slow": "takes more than a minute",
}
"""The closed list of tags, beside ``requirement:ID``; each with its meaning."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A selection of scenarios, by what they need of the target's owner."""

    about: str
    grants: frozenset[Grant]
    """A scenario belongs to the suite when it needs one of these."""


SUITES: Mapping[str, Suite] = {
    "conformance": Suite(
        "what can be seen without breaking anything (observe, mutate)", frozenset((Grant.OBSERVE, Grant.MUTATE))
    ),
    "acceptance": Suite("all of both, in one run and one report", frozenset(Grant)),
    "resilience": Suite("what holds while parts are broken on purpose (disrupt)", frozenset((Grant.DISRUPT,))),
}


@dataclass(frozen=True, slots=True)
class Planned:
    """One scenario that would run."""

    scenario: str
    feature: str
    """The feature's name, as its file says."""
    requirements: tuple[RequirementId, ...]
    tags: frozenset[str]
    acts: tuple[str, ...] = ()
    """What is done in it, in the words of its *When*."""

    @property
    def grant(self) -> Grant:
        """Return what the target's owner has to allow for it."""
        return max(
            (Grant(tag) for tag in self.tags if tag in list(Grant)), key=list(Grant).index, default=Grant.OBSERVE
        )

    def belongs_to(self, suite: str) -> bool:
        """Tell whether a suite holds this scenario."""
        return self.grant in SUITES[suite].grants


def tag_problems(tags: Iterable[str], where: str) -> list[Problem]:
    """Return what is wrong with the tags of one scenario: unknown ones, with the nearest that there is."""
    problems: list[Problem] = []
    known = [*TAGS, *(f"{REQUIREMENT}{requirement.id}" for requirement in catalogue())]
    for tag in sorted(tags):
        if tag.startswith(REQUIREMENT):
            try:
                find([tag.removeprefix(REQUIREMENT)], where)
            except BadInput as error:
                problems.extend(error.problems)
        elif tag not in TAGS:
            problems.append(
                Problem(where, f"unknown tag @{tag}", ", ".join(f"@{name}" for name in known), nearest(tag, known))
            )
    return problems


def check_suite(name: str, where: str = "SUITE") -> str:
    """Return the suite's name; raises BadInput that names the nearest one that there is."""
    if name in SUITES:
        return name
    raise BadInput([Problem(where, f"unknown suite {name!r}", ", ".join(SUITES), nearest(name, list(SUITES)))])


def needed_grant(planned: Sequence[Planned]) -> Grant:
    """Return the strongest grant that any of the scenarios needs."""
    return max((entry.grant for entry in planned), key=list(Grant).index, default=Grant.OBSERVE)


def requirements_of(planned: Sequence[Planned]) -> tuple[RequirementId, ...]:
    """Return the requirements that the scenarios judge, in the catalogue's order."""
    wanted = {requirement for entry in planned for requirement in entry.requirements}
    return tuple(requirement.id for requirement in catalogue() if requirement.id in wanted)


def plan_problems(planned: Sequence[Planned]) -> list[Problem]:
    """Return what is wrong with a whole plan: nothing in it, no requirement, names that occur twice."""
    if not planned:
        return [Problem("selection", "nothing selected", "at least one scenario")]
    problems = [
        Problem(
            f"scenario {entry.scenario!r} of {entry.feature!r}", "no requirement", "a tag @requirement:ID on its Rule"
        )
        for entry in planned
        if not entry.requirements
    ]
    seen: set[str] = set()
    for entry in planned:
        if entry.scenario in seen:
            problems.append(
                Problem(f"scenario {entry.scenario!r}", "the name occurs twice", "each scenario's name once")
            )
        seen.add(entry.scenario)
    return problems
