"""Typed access to the JSON of observations; a value of another shape raises, and the engine makes that inconclusive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from seatrial.model.observation import Evidence, Json, Observation


def mapping(value: Json) -> Mapping[str, Json]:
    """Return a JSON object."""
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, found {type(value).__name__}")
    return value


def items(value: Json) -> list[Json]:
    """Return a JSON list."""
    if not isinstance(value, list):
        raise TypeError(f"expected a list, found {type(value).__name__}")
    return value


def mappings(value: Json) -> list[Mapping[str, Json]]:
    """Return a JSON list of objects."""
    return [mapping(item) for item in items(value)]


def text(value: Json) -> str:
    """Return a JSON string."""
    if not isinstance(value, str):
        raise TypeError(f"expected a text, found {type(value).__name__}")
    return value


def number(value: Json) -> float:
    """Return a JSON number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, found {type(value).__name__}")
    return float(value)


def whole(value: Json) -> int:
    """Return a whole JSON number, also one written as text (as databases report them)."""
    if isinstance(value, str):
        return int(value)
    return int(number(value))


def latest(observations: Iterable[Observation]) -> dict[str, Observation]:
    """Return the last observation that could see of each subject; its last blind one where none could."""
    found: dict[str, Observation] = {}
    for observation in observations:
        known = found.get(observation.subject)
        if observation.seen or known is None or not known.seen:
            found[observation.subject] = observation
    return found


def held(evidence: Evidence, subjects: Iterable[str]) -> list[Observation]:
    """Return the proofs that a fault took hold of any of these pods (subjects)."""
    wanted = set(subjects)
    return [o for o in evidence.of("fault.took_hold") if o.seen and mapping(o.value).get("held") and touched(o, wanted)]


def touched(proof: Observation, pods: Iterable[str]) -> set[str]:
    """Return which of these pods (subjects) a proof of a fault speaks of, by subject or by name."""
    named = {str(proof.subject)} | set(_named(proof.value))
    return {pod for pod in pods if pod in named or pod.rpartition("/")[2] in named}


def _named(value: Json) -> Iterator[str]:
    """Yield what a proof names under ``subject``, ``subjects`` and ``pod``, however deep: faults are made of faults."""
    if isinstance(value, list):
        for item in value:
            yield from _named(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in ("subject", "pod") and isinstance(item, str):
                yield item
            elif key == "subjects" and isinstance(item, list):
                yield from (text(subject) for subject in item)
            else:
                yield from _named(item)
