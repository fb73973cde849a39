"""The lab's custom resource definitions, as they are applied.

A part of a schema may say `x-lab-spec-of: Kind` instead of its properties: there stands the specification of that kind,
in which what `x-lab-filled` names is not required. So what a resource may say is written down once.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Final

from seatrial_lab import paths
from seatrial_lab.platform.apply import read

FOLDER: Final = paths.PACKAGE / "crds"
SPEC_OF, FILLED = "x-lab-spec-of", "x-lab-filled"


def load(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Return all definitions, whole."""
    found = [d for file in sorted(folder.glob("*.yaml")) for d in read(file.read_text())]
    return [_whole(definition, {d["spec"]["names"]["kind"]: d for d in found}) for definition in found]


def _whole(part: Any, kinds: dict[str, dict[str, Any]]) -> Any:
    if isinstance(part, list):
        return [_whole(each, kinds) for each in part]
    if not isinstance(part, dict):
        return part
    if SPEC_OF not in part:
        return {key: _whole(value, kinds) for key, value in part.items()}
    schema = kinds[part[SPEC_OF]]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    spec = copy.deepcopy(_whole(schema["properties"]["spec"], kinds))
    required = [name for name in spec.pop("required", ()) if name not in part[FILLED]]
    return {**spec, "required": required} if required else dict(spec)
