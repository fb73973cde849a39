"""What an operator's watches have shown, so that its rounds need not ask the API server again (an informer's cache).

Three sources feed it: events of watches, answers to the operator's own requests, and listings. The newest version of an
object wins, whichever way it came; an object that is gone does not come back by a late message. Messages may be missed
(a watch begins anew after a break without telling of what was deleted meanwhile): nothing is believed for longer than
TRUSTED_FOR_S, and then it is asked for again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, cast

from seatrial_lab.operators.common.resources import Json, Resource

TRUSTED_FOR_S: Final = 240.0
_REMEMBERED_DEAD: Final = 4096  # of how many deleted objects late messages are told apart

_Place = tuple[str, str, str]  # kind's path, namespace, name


@dataclass(frozen=True, slots=True)
class _Seen:
    uid: str
    version: int
    at: float
    labels: Mapping[str, str]
    text: str
    """The object as JSON: every reader gets a copy of its own, and may change it."""


class Cache:
    """The objects of the kinds and namespaces that an operator watches, as they last were."""

    def __init__(
        self, kinds: Collection[Resource], namespaces: Collection[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kinds = frozenset(kinds)
        self._namespaces = frozenset(namespaces)
        self._clock = clock
        self._seen: dict[_Place, _Seen] = {}
        self._dead: dict[str, None] = {}
        self._listed: dict[tuple[str, str], float] = {}

    def covers(self, kind: Resource, namespace: str | None) -> bool:
        """Whether these objects are watched; only those can be known."""
        return kind in self._kinds and namespace in self._namespaces

    def get(self, kind: Resource, namespace: str | None, name: str) -> Json | None:
        """An object, or None if it must be asked for."""
        seen = self._seen.get((kind.path(), namespace or "", name))
        if seen is None or not self._trusted(seen.at):
            return None
        return cast("Json", json.loads(seen.text))

    def list(self, kind: Resource, namespace: str, labels: Mapping[str, str]) -> list[Json] | None:
        """All objects of a kind with these labels, or None if they must be asked for."""
        if not self._trusted(self._listed.get((kind.path(), namespace), float("-inf"))):
            return None
        found = sorted(self._of(kind, namespace).items())
        return [json.loads(seen.text) for _, seen in found if labels.items() <= seen.labels.items()]

    def keep(self, kind: Resource, live: Json) -> None:
        """Take note of an object, as an event or an answer told of it."""
        meta = live["metadata"]
        namespace = meta.get("namespace")
        if not self.covers(kind, namespace) or meta["uid"] in self._dead:
            return
        place = (kind.path(), namespace, meta["name"])
        # Versions are numbers that grow: so says the API since 1.35, and so it was with etcd from the beginning.
        version, known = int(meta["resourceVersion"]), self._seen.get(place)
        if known is None or version >= known.version:
            labels = dict(meta.get("labels") or {})
            self._seen[place] = _Seen(meta["uid"], version, self._clock(), labels, json.dumps(live))

    def keep_all(self, kind: Resource, namespace: str, found: Collection[Json], version: str) -> None:
        """Take note of a whole listing of a namespace, that was made at a version: what is not in it is no more."""
        if not self.covers(kind, namespace):
            return
        present = {live["metadata"]["name"] for live in found}
        for place, seen in self._of(kind, namespace).items():
            if place[2] not in present and seen.version <= int(version):
                del self._seen[place]
        for live in found:
            self.keep(kind, live)
        self._listed[kind.path(), namespace] = self._clock()

    def drop(self, kind: Resource, live: Json) -> None:
        """Take note that an object is gone for good."""
        meta = live["metadata"]
        self._dead[meta["uid"]] = None
        if len(self._dead) > _REMEMBERED_DEAD:
            del self._dead[next(iter(self._dead))]
        place = (kind.path(), meta.get("namespace", ""), meta["name"])
        known = self._seen.get(place)
        if known is not None and known.uid == meta["uid"]:
            del self._seen[place]

    def forget(self, kind: Resource, namespace: str | None, name: str) -> None:
        """An object is to go, in a way that only the API server knows: ask for it, and for all of its kind."""
        if self._seen.pop((kind.path(), namespace or "", name), None) is not None:
            self._listed.pop((kind.path(), namespace or ""), None)

    def _of(self, kind: Resource, namespace: str) -> dict[_Place, _Seen]:
        start = (kind.path(), namespace)
        return {place: seen for place, seen in self._seen.items() if place[:2] == start}

    def _trusted(self, at: float) -> bool:
        return self._clock() - at <= TRUSTED_FOR_S
