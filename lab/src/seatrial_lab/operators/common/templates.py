"""Manifests from templates: YAML with jinja2, in the `templates` folder of the operator that deploys them."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Final

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from seatrial_lab.operators.common.resources import Json

COMMON: Final = Path(__file__).parent / "templates"
"""What every operator's templates may import."""

# The C loader is several times faster, and operators share two cores with all they operate.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def _environment(folder: Path) -> Environment:
    environment = Environment(  # noqa: S701 - the output is YAML, not a page; values are quoted with the `json` filter
        loader=FileSystemLoader([folder, COMMON]), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["json"] = lambda value: json.dumps(value, sort_keys=True)
    environment.filters["b64"] = lambda value: base64.b64encode(str(value).encode()).decode()
    return environment


def render_text(folder: Path, template: str, **values: object) -> str:
    """One template as text; a value that the template names and nobody gave is an error."""
    return _environment(folder).get_template(template).render(**values)


def render(folder: Path, template: str, **values: object) -> list[Json]:
    """The manifests in one template file. In it, `{{ value | json }}` quotes any value safely."""
    return [document for document in yaml.load_all(render_text(folder, template, **values), Loader=_Loader) if document]
