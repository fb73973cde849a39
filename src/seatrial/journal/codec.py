"""Central types to plain JSON and back, strictly: what is not known is an error, never ignored.

What belongs here: the one translation that the journal, ``run.json``, the inventories and every reader of a
run folder share. What does not: files (``folder``, ``writer``, ``reader``) and the target document, which people write.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from seatrial.model.errors import BadInput, HarnessBug, Problem
from seatrial.model.observation import Json

T = TypeVar("T")
_PLAIN: dict[type, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_ABSENT = object()


def encode(value: object) -> dict[str, Json]:
    """Turn a central dataclass into a JSON object; raises HarnessBug for what has no place in a run folder."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        msg = f"only dataclass values are stored, not {type(value).__name__}"
        raise HarnessBug(msg)
    return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}


def to_json(value: object) -> Json:
    """Turn any value that a central type may hold into plain JSON; secrets and numbers that JSON lacks are refused."""
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, date):
        return _time_text(value) if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, Mapping):
        return {_key(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type) and not hasattr(value, "reveal"):
        return encode(value)
    msg = f"a value of type {type(value).__name__} that has no place in a run folder"
    raise HarnessBug(msg)


def decode(cls: type[T], data: object, *, where: str = "") -> T:
    """Turn a JSON object back into a ``cls``; raises BadInput with every problem, each named from ``where``."""
    problems: list[Problem] = []
    value = _dataclass(cls, data, where or cls.__name__, problems)
    if problems:
        raise BadInput(problems)
    return typing.cast("T", value)


def parse_time(text: str) -> datetime:
    """Read a UTC time as the journal writes it; raises ValueError for anything without a zone."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        msg = f"{text!r} has no time zone"
        raise ValueError(msg)
    return parsed.astimezone(UTC)


def _time_text(moment: datetime) -> str:
    if moment.tzinfo is None:
        msg = f"{moment.isoformat()} has no time zone; times are stored in UTC"
        raise HarnessBug(msg)
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _key(key: object) -> str:
    if isinstance(key, str):
        return str(key.value) if isinstance(key, Enum) else key
    msg = f"JSON keys are texts, not {type(key).__name__}"
    raise HarnessBug(msg)


@cache
def _shape(cls: type) -> dict[str, tuple[Any, bool]]:
    """Return each field's type, and whether it must be given; ``Json``, a recursive alias, is taken as any value."""
    hints = typing.get_type_hints(cls, localns={"Json": object})
    return {
        field.name: (
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(cls)
    }


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that the word most likely meant, if any is close."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return found[0] if found else None


def _dataclass(cls: type, data: object, where: str, problems: list[Problem]) -> object:
    if not isinstance(data, Mapping):
        problems.append(Problem(where, _found(data), f"an object ({cls.__name__})"))
        return _ABSENT
    shape = _shape(cls)
    before = len(problems)
    problems.extend(
        Problem(where, f"unknown key {key!r}", ", ".join(shape), nearest(str(key), shape))
        for key in data
        if key not in shape
    )
    values: dict[str, object] = {}
    for name, (kind, needed) in shape.items():
        if name in data:
            values[name] = _value(kind, data[name], f"{where}.{name}", problems)
        elif needed:
            problems.append(Problem(where, f"no key {name!r}", f"{name}: {_accepted(kind)}"))
    if len(problems) > before:
        return _ABSENT
    try:
        return cls(**values)
    except HarnessBug as bug:  # a stored verdict that rests on nothing was tampered with or torn: the reader's problem
        problems.append(Problem(where, str(bug), f"a consistent {cls.__name__}"))
        return _ABSENT


def _value(kind: Any, data: object, where: str, problems: list[Problem]) -> object:
    kind = _bare(kind)
    if kind is object or kind is Any:
        return data
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _either(kind, data, where, problems)
    if origin is tuple:
        return _many(kind, data, where, problems)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(kind, data, where, problems)
    if dataclasses.is_dataclass(kind):
        return _dataclass(typing.cast("type", kind), data, where, problems)
    return _scalar(kind, data, where, problems)


def _bare(kind: Any) -> Any:
    while hasattr(kind, "__supertype__"):
        kind = kind.__supertype__
    return kind


def _either(kind: Any, data: object, where: str, problems: list[Problem]) -> object:
    options = typing.get_args(kind)
    if data is None and type(None) in options:
        return None
    rest = [option for option in options if option is not type(None)]
    if len(rest) != 1:
        msg = f"{where}: the codec knows optional values only, not {kind}"
        raise HarnessBug(msg)
    return _value(rest[0], data, where, problems)


def _many(kind: Any, data: object, where: str, problems: list[Problem]) -> object:
    if not isinstance(data, list | tuple):
        problems.append(Problem(where, _found(data), "a list"))
        return _ABSENT
    item = typing.get_args(kind)[0]
    return tuple(_value(item, entry, f"{where}[{index}]", problems) for index, entry in enumerate(data))


def _mapping(kind: Any, data: object, where: str, problems: list[Problem]) -> object:
    if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
        problems.append(Problem(where, _found(data), "an object"))
        return _ABSENT
    item = typing.get_args(kind)[1]
    return {key: _value(item, entry, f"{where}.{key}", problems) for key, entry in data.items()}


def _scalar(kind: Any, data: object, where: str, problems: list[Problem]) -> object:
    if isinstance(kind, type) and issubclass(kind, Enum):
        known = [str(member.value) for member in kind]
        if isinstance(data, str) and data in known:
            return kind(data)
        problems.append(Problem(where, _found(data), ", ".join(known), nearest(str(data), known)))
    elif kind in (datetime, date):
        if isinstance(data, str):
            try:
                return parse_time(data) if kind is datetime else date.fromisoformat(data)
            except ValueError:
                pass
        problems.append(Problem(where, _found(data), _accepted(kind)))
    elif kind is float and isinstance(data, int | float) and not isinstance(data, bool):
        return float(data)
    elif type(data) is kind:
        return data
    else:
        problems.append(Problem(where, _found(data), _accepted(kind)))
    return _ABSENT


def _accepted(kind: Any) -> str:
    kind = _bare(kind)
    if kind is datetime:
        return "a time with its zone (ISO 8601)"
    if kind is date:
        return "a day (YYYY-MM-DD)"
    return _PLAIN.get(kind) or str(getattr(kind, "__name__", kind))


def _found(data: object) -> str:
    if data is None:
        return "nothing"
    if isinstance(data, Mapping):
        return "an object"
    if isinstance(data, list | tuple):
        return "a list"
    text = repr(data)
    return text if len(text) <= 60 else text[:57] + "..."
