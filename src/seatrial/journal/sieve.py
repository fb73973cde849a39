"""The sieve that everything passes where it is written: what is secret, or looks like it, does not get through.

Two kinds of knowledge. What this process has read as a secret (``model.known``) is taken out wherever it stands, in the
forms in which programs print it. What it has not read is known by its shape or by what stands before it: that is a net,
not a proof. A secret that is split over two texts is not found, nor is one that somebody encoded in another way.

Names of Secrets are kept, for evidence speaks of them: a key such as ``secret``, ``tlsSecret`` or ``secretName`` with a
name of Kubernetes as its value names an object; in running text only a name that says so (``osp-secret``) is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from seatrial.journal import shapes
from seatrial.journal.printable import printable
from seatrial.model.known import KNOWN, REMOVED, Known
from seatrial.model.observation import Json

_MOST_ROUNDS = 5
_MANIFEST_DATA = ("data", "stringData")


class Sieve:
    """Removes secrets; ``known`` is what it takes out wherever it stands."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def clean(self, text: str) -> str:
        """Return the text without secrets, and without what looks like one; cleaning again changes nothing."""
        text = self._known.taken_out_of(text)
        if not shapes.may_hold(text):
            return text
        for _ in range(_MOST_ROUNDS):
            before, text = text, shapes.without_named(shapes.without_shapes(text))
            if text == before:
                break
        return text

    def clean_finished(self, text: str) -> str:
        """Return a finished file (HTML, XML, JSON) without what is a secret as it stands, and still well-formed."""
        return shapes.without_shapes(self._known.taken_out_of(text))

    def clean_json(self, value: Json) -> Json:
        """Return the value with every text cleaned, keys too, and without texts under a key that names a secret."""
        if isinstance(value, str):
            return self.clean(value)
        if isinstance(value, Mapping):
            return self._object(value)
        if isinstance(value, list):
            return [self.clean_json(item) for item in value]
        return value

    def passes(self, line: str) -> bool:
        """Tell, in microseconds, that ``clean_json`` would change nothing in what this line of JSON holds.

        False says that it may. The line is as ``json.dumps`` writes it.
        """
        if shapes.may_hold(line):
            return False
        for form in self._known.forms:  # noqa: SIM110  (this is asked for every event)
            if form in line:
                return False
        return True

    def _object(self, value: Mapping[str, Json]) -> dict[str, Json]:
        manifest = value.get("kind") == "Secret"
        variable = isinstance(value.get("name"), str) and shapes.names_secret(str(value["name"]))
        found: dict[str, Json] = {}
        for key, item in value.items():
            hidden = (manifest and key in _MANIFEST_DATA) or (variable and key == "value")
            cleaned = self.clean(key)
            while cleaned in found:
                cleaned += "'"  # two keys that were secrets stay two
            found[cleaned] = _without_texts(item) if hidden else self._item(key, item)
        return found

    def _item(self, key: str, item: Json) -> Json:
        if isinstance(item, str):
            return REMOVED if shapes.is_secret(key, item) else self.clean(item)
        if isinstance(item, list):
            return [self._item(key, each) for each in item]
        return self.clean_json(item)


def _without_texts(value: Json) -> Json:
    """Return the value with every text in it removed."""
    if isinstance(value, str):
        return REMOVED if value else value
    if isinstance(value, Mapping):
        return {key: _without_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_texts(item) for item in value]
    return value


_SIEVE = Sieve(KNOWN)
"""Knows what this process has read."""
clean = _SIEVE.clean
clean_finished = _SIEVE.clean_finished
clean_json = _SIEVE.clean_json
passes = _SIEVE.passes


def sieved(value: Json) -> Json:
    """Return the value as it may be stored: itself where there is nothing to remove."""
    return value if passes(json.dumps(value)) else clean_json(value)


def shown(text: str) -> str:
    """Return the text as it may stand on a terminal, a page or a document: without secrets and control characters."""
    return clean(printable(text))
