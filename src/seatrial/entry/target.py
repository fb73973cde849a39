"""The target document: what a person wrote becomes a Target, or a list of everything that is wrong with it.

Nothing here contacts the deployment. What can be known from files is found out before the first packet is sent: unknown
keys, wrong types, files that are missing, contexts and clouds that do not exist, a client certificate that has expired.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from seatrial import waiting
from seatrial.catalogue.document import Document, parse, schema_problems
from seatrial.catalogue.loader import find
from seatrial.model.errors import BadInput, Problem
from seatrial.model.target import (
    Agent,
    Cloud,
    Grant,
    Kubernetes,
    Limits,
    Namespaces,
    Profile,
    Target,
    Waiver,
)

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,58}[a-z0-9])?")
_LINE = re.compile(r"line (\d+)")


def _plain_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        msg = "a name of lower-case letters, digits, dots and dashes, at most 60: it becomes part of a folder's name"
        raise ValueError(msg)
    return name


_EMPTY = BeforeValidator(lambda written: {} if written is None else written)
"""A key with nothing under it says the same as ``{}``."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Kubernetes(_Strict):
    kubeconfig: str | None = None
    context: str | None = None


class _Cloud(_Strict):
    clouds_yaml: str | None = None
    name: str | None = None


class _Namespaces(_Strict):
    control_plane: str = "openstack"
    operators: str = "openstack-operators"


class _Agent(_Strict):
    image: str | None = None


class _Limits(_Strict):
    max_down: dict[str, int] = Field(default_factory=dict)
    protected: list[str] = Field(default_factory=list)


class _Waiver(_Strict):
    requirement: str
    reason: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    expires: date


class _Target(_Strict):
    name: Annotated[str, AfterValidator(_plain_name)]
    kubernetes: Annotated[_Kubernetes, _EMPTY] = Field(default_factory=_Kubernetes)
    cloud: Annotated[_Cloud, _EMPTY] = Field(default_factory=_Cloud)
    grant: Grant = Field(default=Grant.OBSERVE, strict=False)
    namespaces: _Namespaces = Field(default_factory=_Namespaces)
    agent: _Agent = Field(default_factory=_Agent)
    limits: _Limits = Field(default_factory=_Limits)
    profile: Profile = Field(default=Profile.PRODUCTION, strict=False)
    exceptions: dict[str, str] = Field(default_factory=dict)
    waivers: list[_Waiver] = Field(default_factory=list)
    budgets: dict[str, float] = Field(default_factory=dict)


def load_target(path: Path, *, now: datetime | None = None) -> Target:
    """Read a target file; raises BadInput with all problems at once, found without contacting anything.

    Paths in it are relative to the file itself. ``now`` is only for asking how it will be at another time.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        accepted = "a target file (`seatrial-lab target` prints one; README shows how to write one)"
        raise BadInput([Problem(f"--target {path}", error.strerror or "unreadable", accepted)]) from error
    except UnicodeDecodeError as error:
        raise BadInput([Problem(f"--target {path}", "no text", "a YAML document in UTF-8")]) from error
    document = parse(text, str(path))
    today = now or datetime.now(UTC)
    try:
        written = _Target.model_validate(document.data)
    except ValidationError as error:
        problems = schema_problems(error, document, _Target)
        # What the rest of the document says can still be looked at: all problems at once.
        salvaged = _salvage(document, path, today)
        raise BadInput(sorted([*problems, *salvaged], key=_line)) from error
    platform, of_platform = _platform(written.kubernetes, written.grant, document, path, today)
    cloud, of_cloud = _cloud(written.cloud, document, path)
    problems = sorted([*_problems(written, document), *of_platform, *of_cloud], key=_line)
    if problems:
        raise BadInput(problems)
    return _target(written, platform, cloud)


def _line(problem: Problem) -> int:
    found = _LINE.search(problem.where)
    return int(found[1]) if found else 0


def _target(written: _Target, platform: Kubernetes, cloud: Cloud) -> Target:
    return Target(
        name=written.name,
        kubernetes=platform,
        cloud=cloud,
        grant=written.grant,
        namespaces=Namespaces(written.namespaces.control_plane, written.namespaces.operators),
        agent=Agent(written.agent.image),
        limits=Limits(written.limits.max_down, tuple(written.limits.protected)),
        profile=written.profile,
        exceptions=written.exceptions,
        waivers=tuple(Waiver(w.requirement, w.reason, w.owner, w.expires) for w in written.waivers),
        budgets=written.budgets,
    )


def _platform(
    written: _Kubernetes, grant: Grant, document: Document, path: Path, now: datetime
) -> tuple[Kubernetes, list[Problem]]:
    """Return the way to the platform, and everything that is wrong with it."""
    # Not above: the Kubernetes client takes longer to load than all commands that contact nothing.
    from seatrial.entry import kubeconfig  # noqa: PLC0415

    way, problems = kubeconfig.way_in(written.kubeconfig, written.context, document, path)
    return way, problems or list(kubeconfig.problems(way, grant, document, now))


def _cloud(written: _Cloud, document: Document, path: Path) -> tuple[Cloud, list[Problem]]:
    """Return the way to the cloud, and everything that is wrong with it."""
    from seatrial.entry import clouds  # noqa: PLC0415 (likewise)

    try:
        return clouds.way_in(written.clouds_yaml, written.name, document, path), []
    except BadInput as error:
        return Cloud(None, ""), list(error.problems)


def _problems(written: _Target, document: Document) -> Iterator[Problem]:
    """Yield what a schema cannot say."""
    yield from _bad_budgets(written.budgets, document)
    for index, waiver in enumerate(written.waivers):
        try:
            find([waiver.requirement], document.where(("waivers", index, "requirement")))
        except BadInput as error:
            yield from error.problems
    for name, number in written.limits.max_down.items():
        if number < 0:
            yield Problem(document.where(("limits", "max_down", name)), str(number), "a whole number, 0 or more")


def _salvage(document: Document, path: Path, now: datetime) -> Iterator[Problem]:
    """Yield the problems of the parts that are well formed, in a document that as a whole is not."""
    data = document.data if isinstance(document.data, Mapping) else {}
    known = data.get("grant")
    grant = Grant(known) if isinstance(known, str) and known in list(Grant) else Grant.OBSERVE
    with contextlib.suppress(ValidationError):  # what is wrong with the section itself was told already
        platform = _Kubernetes.model_validate(data.get("kubernetes") or {})
        yield from _platform(platform, grant, document, path, now)[1]
    with contextlib.suppress(ValidationError):
        cloud = _Cloud.model_validate(data.get("cloud") or {})
        yield from _cloud(cloud, document, path)[1]
    budgets = data.get("budgets")
    if isinstance(budgets, Mapping):
        numbers = {str(k): float(v) for k, v in budgets.items() if isinstance(v, int | float)}
        yield from _bad_budgets(numbers, document)


def _bad_budgets(budgets: Mapping[str, float], document: Document) -> Iterator[Problem]:
    for name, value in budgets.items():
        try:
            waiting.budgets({name: value})
        except BadInput as error:
            for problem in error.problems:
                yield Problem(document.where(("budgets", name)), problem.found, problem.accepted, problem.nearest)
