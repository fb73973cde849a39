"""A platform that keeps objects as Kubernetes does: of two who write what they have both read, one is refused."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from seatrial.clients.kube import Rejected
from seatrial.engine.lease import Clock
from seatrial.model.errors import Unreachable

Manifest = dict[str, Any]


class Platform:
    """Objects by kind, namespace and name; may be made to go away, or to let others in between."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str | None, str], Manifest] = {}
        self.away = False
        self.refuses: Exception | None = None
        """What is answered to whoever creates something."""
        self.between: Callable[[str], None] = lambda _: None
        """Called with the verb before each request is served: where another one may get in."""
        self._lock = threading.Lock()
        self._version = 0

    def get(self, kind: str, name: str, *, namespace: str | None = None) -> Manifest | None:
        with self._serving("get"):
            return copy.deepcopy(self.objects.get((kind, namespace, name)))

    def list(self, kind: str, *, namespace: str | None = None, labels: str | None = None) -> list[Manifest]:
        assert labels is None
        with self._serving("list"):
            return [copy.deepcopy(m) for (k, n, _), m in self.objects.items() if k == kind and n == namespace]

    def create(self, manifest: Manifest) -> Manifest:
        with self._serving("create"):
            if self.refuses is not None:
                raise self.refuses
            if self._key(manifest) in self.objects:
                raise Rejected("the platform answered 409: it exists already", HTTPStatus.CONFLICT)
            return self._store(manifest, uid=f"uid-{self._version}")

    def replace(self, manifest: Manifest) -> Manifest:
        with self._serving("replace"):
            now = self.objects.get(self._key(manifest))
            if now is None:
                raise Rejected("the platform answered 404: not found", HTTPStatus.NOT_FOUND)
            if now["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
                raise Rejected("the platform answered 409: it has been modified", HTTPStatus.CONFLICT)
            return self._store(manifest, uid=now["metadata"]["uid"])

    def patch(self, kind: str, name: str, patch: Manifest, *, namespace: str | None = None) -> Manifest:
        with self._serving("patch"):
            now = copy.deepcopy(self.objects.get((kind, namespace, name)))
            if now is None:
                raise Rejected("the platform answered 404: not found", HTTPStatus.NOT_FOUND)
            now["metadata"].setdefault("annotations", {}).update(patch["metadata"]["annotations"])
            return self._store(now, uid=now["metadata"]["uid"])

    def delete(self, kind: str, name: str, *, namespace: str | None = None, uid: str | None = None) -> None:
        with self._serving("delete"):
            now = self.objects.get((kind, namespace, name))
            if now is not None and uid in (None, now["metadata"]["uid"]):
                del self.objects[kind, namespace, name]

    def _serving(self, verb: str) -> threading.Lock:
        self.between(verb)
        if self.away:
            raise Unreachable("the platform's API did not answer")
        return self._lock

    def _store(self, manifest: Manifest, *, uid: str) -> Manifest:
        self._version += 1
        kept = copy.deepcopy(manifest)
        kept["metadata"] |= {"uid": uid, "resourceVersion": str(self._version)}
        self.objects[self._key(manifest)] = kept
        return copy.deepcopy(kept)

    @staticmethod
    def _key(manifest: Manifest) -> tuple[str, str | None, str]:
        metadata = manifest["metadata"]
        return manifest["kind"], metadata.get("namespace"), metadata["name"]


class Hours:
    """Time that passes when somebody waits, and when it is told to."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self.skew_s = 0.0
        """By how much this machine's clock is ahead of others'."""
        self.meanwhile: Callable[[], None] = lambda: None
        """What others do while somebody waits."""
        self.clock = Clock(self.now, lambda: self.passed_s, self.pause)

    def now(self) -> datetime:
        return datetime(2026, 8, 1, 12, tzinfo=UTC) + timedelta(seconds=self.passed_s + self.skew_s)

    def pause(self, for_s: float) -> None:
        self.passed_s += for_s
        self.meanwhile()
