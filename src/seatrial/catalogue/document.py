"""YAML that people write: where each value stands, nothing said twice, and schema errors as problems with a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from seatrial.model.errors import BadInput, Problem

Path = tuple[str | int, ...]
_TYPES = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "date_type": "a day (YYYY-MM-DD)",
}
_MOST_TEXT = 1_000_000
_MOST_VALUES = 100_000


class TooMuch(ValueError):
    """Raised for a document that says more than anybody writes, whatever its length on disk."""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed YAML document and the line on which each of its values stands."""

    name: str
    data: Any
    lines: Mapping[Path, int]

    def where(self, path: Path) -> str:
        """Return how a person finds this place: file, line and key."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        key = _key(path)
        return f"{self.name}, line {self.lines.get(known, 1)}" + (f", {key}" if key else "")


def parse(text: str, name: str) -> Document:
    """Read one YAML document; raises BadInput for what is no YAML and for keys that stand twice."""
    lines: dict[Path, int] = {}
    problems: list[Problem] = []
    try:
        loader = yaml.SafeLoader(text)
    except yaml.YAMLError as error:
        raise BadInput([Problem(name, "characters that are no text", "a YAML document in UTF-8")]) from error
    try:
        node = _composed(loader, text)
        if node is None:
            raise BadInput([Problem(name, "an empty document", "a mapping of keys to values")])
        _walk(node, (), lines, problems, name)
        data = None if problems else loader.construct_document(node)
    except TooMuch as error:
        raise BadInput([Problem(name, str(error), "a document as people write them")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{name}, line {mark.line + 1}" if mark is not None else name
        accepted = "spaces there" if "'\\t'" in (error.problem or "") else "one YAML document"
        raise BadInput([Problem(where, (error.problem or "no YAML").removeprefix("found "), accepted)]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadInput([Problem(name, f"no YAML ({str(error).splitlines()[0]})", "one YAML document")]) from error
    finally:
        loader.dispose()
    if problems:
        raise BadInput(problems)
    return Document(name, data, lines)


def plain(text: str) -> Any:
    """Read one YAML document that another program's loader will read after us.

    Raises ``yaml.YAMLError``, ``ValueError`` or ``RecursionError`` for what is none, ``TooMuch`` for one whose aliases
    would make that loader grow without bounds.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = _composed(loader, text)
        return None if node is None else loader.construct_document(node)
    finally:
        loader.dispose()


def _composed(loader: yaml.SafeLoader, text: str) -> yaml.Node | None:
    """Return the document's nodes, once it is sure that they are few enough with every alias written out."""
    if len(text) > _MOST_TEXT:
        raise TooMuch(f"{len(text):,} characters")
    node: yaml.Node | None = loader.get_single_node()
    if node is not None and _written_out(node, {}) > _MOST_VALUES:
        raise TooMuch(f"aliases that stand for more than {_MOST_VALUES:,} values")
    return node


def _written_out(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many values a node holds when its aliases are written out; each node is counted once."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = _MOST_VALUES + 1  # an alias of a node inside itself has no end
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        children = [part for pair in node.value for part in pair]
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    known[id(node)] = 1 + sum(_written_out(child, known) for child in children)
    return known[id(node)]


def _walk(node: yaml.Node, path: Path, lines: dict[Path, int], problems: list[Problem], name: str) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            word = str(key.value)
            here = (*path, word)
            if word in seen:
                problems.append(
                    Problem(f"{name}, line {key.start_mark.line + 1}", f"key {word!r} again", "each key once")
                )
            seen.add(word)
            lines[here] = key.start_mark.line + 1
            _walk(value, here, lines, problems, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*path, index), lines, problems, name)


def schema_problems(error: ValidationError, document: Document, model: type[BaseModel]) -> list[Problem]:
    """Turn everything that a schema found wrong into problems: where, found, accepted, nearest known name."""
    return [_problem(dict(entry), document, model) for entry in error.errors(include_url=False)]


def _problem(entry: dict[str, Any], document: Document, model: type[BaseModel]) -> Problem:
    path: Path = tuple(entry["loc"])
    kind = entry["type"]
    where = document.where(path)
    if kind == "extra_forbidden":
        known = _fields_at(model, path[:-1])
        return Problem(where, f"unknown key {path[-1]!r}", ", ".join(known), nearest(str(path[-1]), known))
    if kind == "missing":
        return Problem(document.where(path[:-1]), f"no key {path[-1]!r}", f"{path[-1]} is needed")
    found = _found(entry.get("input"))
    if kind in ("enum", "literal_error"):
        accepted = str(entry["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
        return Problem(where, found, accepted, nearest(str(entry.get("input")), accepted.split(", ")))
    if kind == "string_too_short":
        least = int(entry["ctx"]["min_length"])
        return Problem(
            where, found, "a text that is not empty" if least == 1 else f"a text of {least} characters or more"
        )
    return Problem(where, found, _TYPES.get(kind, str(entry["msg"]).removeprefix("Value error, ")))


def _fields_at(model: type[BaseModel], path: Path) -> list[str]:
    """Return the keys that the schema knows at this place."""
    current: Any = model
    for part in path:
        if isinstance(part, int):
            continue  # the place in a list does not change what its entries are
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = next((f for n, f in current.model_fields.items() if part in (n, f.alias)), None)
            current = field.annotation if field is not None else None
        models = [a for a in (current, *get_args(current)) if isinstance(a, type) and issubclass(a, BaseModel)]
        current = models[0] if models else current
    if isinstance(current, type) and issubclass(current, BaseModel):
        return [field.alias or name for name, field in current.model_fields.items()]
    return []


def nearest(word: str, known: list[str]) -> str | None:
    """Return the known name that the word most likely meant, if any is close."""
    found = get_close_matches(word.lower(), {name.lower(): name for name in known}, n=1)
    return next((name for name in known if found and name.lower() == found[0]), None)


def _key(path: Path) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _found(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
