"""What is wrong with the way to the cloud, as far as files tell: a clouds.yaml, the secure.yaml beside it, OS_*."""

from __future__ import annotations

import os
from pathlib import Path

from seatrial.catalogue.document import Document, nearest
from seatrial.clients.cloud import USUAL_FILES, USUAL_SECURE_FILES, region
from seatrial.entry.written_files import expanded, mapping
from seatrial.model.errors import BadInput, Problem
from seatrial.model.target import Cloud

_KEY = ("cloud", "clouds_yaml")
_NAME = ("cloud", "name")
_VARIABLES = "envvars"
"""What openstacksdk calls the cloud that OS_* variables describe."""
_SECURE = ("secure.yaml", "secure.yml", "secure.json")


def way_in(written: str | None, name: str | None, document: Document, target: Path) -> Cloud:
    """Return how the cloud is reached; raises BadInput with what is wrong with that.

    What the target says comes first, then what openstacksdk goes by: OS_CLIENT_CONFIG_FILE, the usual places, OS_CLOUD,
    and a cloud described by OS_AUTH_URL and its companions.
    """
    where = document.where(_KEY)
    file = _by_environment() if written is None else _named(written, target, where)
    variables = written is None and bool(os.environ.get("OS_AUTH_URL"))
    if file is None and not variables:
        found = "no clouds.yaml: OS_CLIENT_CONFIG_FILE is not set, there is none in the usual places, nor OS_AUTH_URL"
        raise BadInput([Problem(document.where(("cloud",)), found, "a file under cloud.clouds_yaml")])
    names = [] if file is None else _names(file, where)
    chosen = name or os.environ.get("OS_CLOUD") or (_VARIABLES if variables else _only(names))
    if chosen is None:
        raise BadInput(
            [Problem(document.where(_NAME), f"no name, and {len(names)} clouds in {file}", ", ".join(names))]
        )
    if file is None or (variables and chosen == _VARIABLES):
        cloud, names = Cloud(None, chosen), [_VARIABLES]
    else:
        cloud = Cloud(file, chosen, _secure(file, by_environment=written is None))
        names = list(dict.fromkeys([*names, *(more for place in cloud.secure for more in _names(place, where))]))
    if chosen not in names:
        at = document.where(_NAME)
        raise BadInput([Problem(at, f"cloud {chosen!r}", ", ".join(names), nearest(chosen, names))])
    _check(cloud, where)
    return cloud


def _named(written: str, target: Path, where: str) -> Path:
    paths, problems = expanded(written, target, where)
    if problems:
        raise BadInput(problems)
    if len(paths) > 1:
        raise BadInput([Problem(where, f"{len(paths)} paths", "the path of one clouds.yaml file")])
    return paths[0]


def _only(names: list[str]) -> str | None:
    """Return the cloud that needs no name."""
    return names[0] if len(names) == 1 else None


def _by_environment() -> Path | None:
    named = os.environ.get("OS_CLIENT_CONFIG_FILE")
    if named:
        return Path(named).expanduser().absolute()
    return next((place for place in USUAL_FILES if place.exists()), None)


def _secure(file: Path, *, by_environment: bool) -> tuple[Path, ...]:
    """Return the file with the secrets that belong to a clouds.yaml: beside it, or where openstacksdk looks."""
    places = [file.parent / name for name in _SECURE]
    if by_environment:
        named = os.environ.get("OS_CLIENT_SECURE_FILE")
        places = [*([Path(named)] if named else []), *places, *USUAL_SECURE_FILES]
    return tuple(place for place in places if place.exists())[:1]


def _names(file: Path, where: str) -> list[str]:
    """Return the names of the clouds in a file."""
    accepted = f"a {file.stem if file.stem in ('clouds', 'secure') else 'clouds'}.yaml file"
    data, problems = mapping(file, where, accepted)
    if problems:
        raise BadInput(problems)
    clouds = data.get("clouds")
    if not isinstance(clouds, dict) or not clouds:
        raise BadInput([Problem(where, f"{file}: no clouds in it", f"{accepted} with the key clouds")])
    return [str(name) for name in clouds]


def _check(cloud: Cloud, where: str) -> None:
    """See that the cloud can be logged in to, as far as its own words go."""
    try:
        found = region(cloud)
    except BadInput as error:
        at_line = [Problem(where, f"{cloud}: {p.found}", p.accepted, p.nearest) for p in error.problems]
        raise BadInput(at_line) from error
    auth = found.config.get("auth")
    url = auth.get("auth_url") if isinstance(auth, dict) else None
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        accepted = "a cloud with auth.auth_url (http://... or https://...) and credentials"
        raise BadInput([Problem(where, f"{cloud} without auth.auth_url", accepted)])
