"""Words of the features that stand for values of the library."""

from __future__ import annotations

from pytest_bdd import parsers

from seatrial.engine.collect import Loss


def lost(word: str) -> Loss:
    """Return the loss that the word means; the error lists the words there are."""
    known = {loss.value: loss for loss in Loss}
    if word not in known:
        msg = f"nobody can be {word!r} here; known: {', '.join(known)}"
        raise ValueError(msg)
    return known[word]


def phrase(pattern: str) -> parsers.parse:
    """Return the parser of a sentence with typed words in it: ``{how:Loss}``."""
    return parsers.parse(pattern, extra_types={"Loss": lost})
