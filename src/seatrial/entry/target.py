"""The target document: what a person wrote becomes a Target, or a list of everything that is wrong with it.

Nothing here contacts the deployment. What can be known from files is found out before the first packet is sent: unknown
keys, wrong types, files that are missing, contexts and clouds that do not exist, a client certificate that has expired.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import yaml
from cryptography import x509
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from seatrial import waiting
from seatrial.catalogue.document import Document, nearest, parse, schema_problems
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


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Kubernetes(_Strict):
    kubeconfig: str
    context: str | None = None


class _Cloud(_Strict):
    clouds_yaml: str
    name: str


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
    kubernetes: _Kubernetes
    cloud: _Cloud
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
    try:
        written = _Target.model_validate(document.data)
    except ValidationError as error:
        problems = schema_problems(error, document, _Target)
        # What the rest of the document says can still be looked at: all problems at once.
        salvaged = _salvage(document, path, now or datetime.now(UTC))
        raise BadInput(sorted([*problems, *salvaged], key=_line)) from error
    problems = sorted(_problems(written, document, path, now or datetime.now(UTC)), key=_line)
    if problems:
        raise BadInput(problems)
    return _target(written, path)


def _line(problem: Problem) -> int:
    found = _LINE.search(problem.where)
    return int(found[1]) if found else 0


def _target(written: _Target, path: Path) -> Target:
    return Target(
        name=written.name,
        kubernetes=Kubernetes(_beside(path, written.kubernetes.kubeconfig), written.kubernetes.context),
        cloud=Cloud(_beside(path, written.cloud.clouds_yaml), written.cloud.name),
        grant=written.grant,
        namespaces=Namespaces(written.namespaces.control_plane, written.namespaces.operators),
        agent=Agent(written.agent.image),
        limits=Limits(written.limits.max_down, tuple(written.limits.protected)),
        profile=written.profile,
        exceptions=written.exceptions,
        waivers=tuple(Waiver(w.requirement, w.reason, w.owner, w.expires) for w in written.waivers),
        budgets=written.budgets,
    )


def _beside(path: Path, written: str) -> Path:
    return (path.absolute().parent / Path(written).expanduser()).resolve()


def _problems(written: _Target, document: Document, path: Path, now: datetime) -> Iterator[Problem]:
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
    yield from _bad_kubeconfig(written.kubernetes, document, path, now)
    yield from _bad_cloud(written.cloud, document, path)


def _salvage(document: Document, path: Path, now: datetime) -> Iterator[Problem]:
    """Yield the problems of the parts that are well formed, in a document that as a whole is not."""
    data = document.data if isinstance(document.data, Mapping) else {}
    with contextlib.suppress(ValidationError):  # what is wrong with the section itself was told already
        yield from _bad_kubeconfig(_Kubernetes.model_validate(data.get("kubernetes")), document, path, now)
    with contextlib.suppress(ValidationError):
        yield from _bad_cloud(_Cloud.model_validate(data.get("cloud")), document, path)
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


def _yaml_file(file: Path, where: str, accepted: str) -> tuple[dict[str, Any], list[Problem]]:
    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        return {}, [Problem(where, f"{file}: {error.strerror}", accepted)]
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}, [Problem(where, f"{file}: no YAML", accepted)]
    if not isinstance(data, dict):
        return {}, [Problem(where, f"{file}: no mapping", accepted)]
    return data, []


def _bad_kubeconfig(written: _Kubernetes, document: Document, path: Path, now: datetime) -> Iterator[Problem]:
    where = document.where(("kubernetes", "kubeconfig"))
    file = _beside(path, written.kubeconfig)
    config, problems = _yaml_file(file, where, "a kubeconfig file")
    if problems:
        yield from problems
        return
    contexts = _named(config, "contexts", "context")
    wanted = written.context or config.get("current-context")
    if not isinstance(wanted, str) or wanted not in contexts:
        at = document.where(("kubernetes", "context")) if written.context else where
        found = f"context {wanted!r}" if wanted else "no current-context in it"
        yield Problem(
            at, found, ", ".join(contexts) or "a context of the kubeconfig", nearest(str(wanted), list(contexts))
        )
        return
    context = contexts[wanted]
    for kind, entries in (
        ("cluster", _named(config, "clusters", "cluster")),
        ("user", _named(config, "users", "user")),
    ):
        if context.get(kind) not in entries:
            yield Problem(
                where, f"{kind} {context.get(kind)!r} in context {wanted!r}", ", ".join(entries) or f"a {kind}"
            )
        else:
            yield from _bad_certificate(entries[context[kind]], kind, file, where, now)


def _named(config: Mapping[str, Any], plural: str, key: str) -> dict[str, dict[str, Any]]:
    """Return a kubeconfig's list of named entries as a mapping; what is malformed is left out, so not found later."""
    entries = config.get(plural)
    found = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get(key), dict):
            found[str(entry.get("name"))] = entry[key]
    return found


def _bad_certificate(entry: Mapping[str, Any], kind: str, file: Path, where: str, now: datetime) -> Iterator[Problem]:
    """Yield that a certificate is missing, malformed or not valid now; a user's own, or the cluster's authority."""
    stem = "client-certificate" if kind == "user" else "certificate-authority"
    what = f"the {stem.replace('-', ' ')} of {kind} in {file}"
    try:
        if f"{stem}-data" in entry:
            pem = base64.b64decode(str(entry[f"{stem}-data"]), validate=True)
        elif stem in entry:
            pem = (file.parent / str(entry[stem])).read_bytes()
        else:
            return
        certificate = x509.load_pem_x509_certificate(pem)
    except OSError as error:
        yield Problem(where, f"{what}: {error.strerror}", "a readable certificate")
        return
    except (binascii.Error, ValueError):
        yield Problem(where, f"{what}: no certificate", "a certificate in PEM")
        return
    if now > certificate.not_valid_after_utc:
        yield Problem(where, f"{what} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC", "a valid one")
    elif now < certificate.not_valid_before_utc:
        begins = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        yield Problem(where, f"{what} is not valid before {begins}", "a valid one (is this machine's clock right?)")


def _bad_cloud(written: _Cloud, document: Document, path: Path) -> Iterator[Problem]:
    where = document.where(("cloud", "clouds_yaml"))
    file = _beside(path, written.clouds_yaml)
    config, problems = _yaml_file(file, where, "a clouds.yaml file")
    if problems:
        yield from problems
        return
    clouds = config.get("clouds")
    if not isinstance(clouds, dict) or not clouds:
        yield Problem(where, f"{file}: no clouds in it", "a clouds.yaml file with the key clouds")
        return
    entry = clouds.get(written.name)
    known = [str(name) for name in clouds]
    if not isinstance(entry, dict):
        at = document.where(("cloud", "name"))
        yield Problem(at, f"cloud {written.name!r}", ", ".join(known), nearest(written.name, known))
        return
    auth = entry.get("auth")
    if not isinstance(auth, dict) or not auth.get("auth_url"):
        yield Problem(
            where, f"cloud {written.name!r} without auth.auth_url", "a cloud with auth.auth_url and credentials"
        )
