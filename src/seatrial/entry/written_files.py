"""The files that a target names: where they are, and what they say, read with bounds and without any contact."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

from seatrial.catalogue.document import TooMuch, plain
from seatrial.model.errors import Problem

_VARIABLE = re.compile(r"\$(\w+|\{\w*\})")


def expanded(written: str, target: Path, where: str) -> tuple[tuple[Path, ...], list[Problem]]:
    """Return the paths in a value of a target, each beside it: ``${VARIABLE}``, ``~`` and ``a:b`` are understood."""
    text = os.path.expandvars(written)
    unset = _VARIABLE.search(text)
    if unset is not None:
        return (), [Problem(where, f"variable {unset[1].strip('{}')}, which is not set", "variables that are set")]
    try:
        paths = tuple(beside(target, part) for part in text.split(os.pathsep) if part)
    except (ValueError, RuntimeError):  # a null character; the home of nobody
        return (), [Problem(where, "a path that can't be one", "the path of a file")]
    return paths, [] if paths else [Problem(where, "an empty path", "the path of a file")]


def beside(target: Path, written: str) -> Path:
    """Return a path as it is meant in a target: relative to the target's own folder."""
    return (target.absolute().parent / Path(written).expanduser()).resolve()


def mapping(file: Path, where: str, accepted: str) -> tuple[dict[str, Any], list[Problem]]:
    """Return what a YAML file says, or what is wrong with it; never shows what stands in it."""
    try:
        data = plain(file.read_text(encoding="utf-8"))
    except OSError as error:
        return {}, [Problem(where, f"{file}: {error.strerror}", accepted)]
    except TooMuch as error:
        return {}, [Problem(where, f"{file}: {error}", accepted)]
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}, [Problem(where, f"{file}: no YAML", accepted)]
    if not isinstance(data, dict):
        return {}, [Problem(where, f"{file}: no mapping", accepted)]
    return data, []
