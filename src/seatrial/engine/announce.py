"""Events on what is hurt, so that whoever is on call sees where it comes from. Best effort: told late, or not at all.

They are written by a thread of their own, after the act that they tell of. A platform that refuses them is a limitation
of the trial, told once; nothing waits for them but the end of the run, for a moment.
"""

from __future__ import annotations

import queue
import socket
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from seatrial.clients.kube import Kube, Manifest
from seatrial.engine.preflight import CONTROL_PLANE
from seatrial.model.errors import NotPermitted, SeatrialError
from seatrial.model.fault import Injection

CONTROLLER = "seatrial"
STARTED, ENDED = "TrialStarted", "TrialEnded"
INJECTED, RECOVERED, RECOVER_FAILED = "ChaosInjected", "ChaosRecovered", "ChaosRecoverFailed"
"""Named as Chaos Mesh names them, so that rules that people have for it match."""
_WARNINGS = (RECOVER_FAILED,)
_KINDS = {
    "pod": ("v1", "Pod"),
    "service": ("v1", "Service"),
    "configmap": ("v1", "ConfigMap"),
    "deployment": ("apps/v1", "Deployment"),
    "statefulset": ("apps/v1", "StatefulSet"),
    "daemonset": ("apps/v1", "DaemonSet"),
    "poddisruptionbudget": ("policy/v1", "PodDisruptionBudget"),
}
_NOTE = 1000
_LAST_WORDS_S = 3.0

Uids = Mapping[str, str]
"""Subject to uid, of those objects whose uid is known: what describes an object looks its Events up by it."""


class Announcer:
    """Tells the platform of one trial; no call waits, none raises."""

    def __init__(self, kube: Kube, namespace: str, *, run: str, limited: Callable[[str], object]) -> None:
        """``limited``: hears, once, that the platform takes no Events, and why."""
        self._kube = kube
        self._namespace = namespace
        self._run = run
        self._limited = limited
        self._told = False
        self._refused = False
        self._muted = False
        self._plane: Manifest | None = None
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="seatrial-events", daemon=True)
        self._thread.start()

    def started(self, suite: str) -> None:
        """Tell the control plane that a trial begins."""
        self._later(lambda: self._on_plane(STARTED, suite, f"trial {self._run} of suite {suite} begins"))

    def ended(self, state: str) -> None:
        """Tell the control plane that the trial is over, and how."""
        self._later(lambda: self._on_plane(ENDED, "end", f"trial {self._run} has ended: {state}"))

    def injected(self, injection: Injection, uids: Uids) -> None:
        """Tell each object that it was hurt on purpose."""
        self._on_each(injection, INJECTED, "hurt on purpose", uids)

    def recovered(self, injection: Injection, uids: Uids) -> None:
        """Tell each object that the hurt is proven to be gone."""
        self._on_each(injection, RECOVERED, "taken back", uids)

    def not_recovered(self, injection: Injection, uids: Uids) -> None:
        """Tell each object, as a warning, that it could not be put right."""
        self._on_each(injection, RECOVER_FAILED, "NOT taken back", uids)

    def close(self) -> None:
        """Give what is still to be told a moment, and tell nothing more."""
        self._waiting.put(None)
        self._thread.join(timeout=_LAST_WORDS_S)
        self._muted = True

    def _on_each(self, injection: Injection, reason: str, what: str, uids: Uids) -> None:
        note = f"{what}: {injection.fault} ({injection.id}) by trial {self._run}"
        for subject in injection.subjects:
            regarding = reference(subject, uids.get(subject))
            if regarding is not None:
                self._later(partial(self._tell, regarding, reason, injection.fault, note))

    def _on_plane(self, reason: str, action: str, note: str) -> None:
        plane = self._control_plane()
        if plane:
            self._tell(plane, reason, action, note)

    def _tell(self, regarding: Manifest, reason: str, action: str, note: str) -> None:
        self._kube.create(
            {
                "apiVersion": "events.k8s.io/v1",
                "kind": "Event",
                "metadata": {"name": f"seatrial-{uuid.uuid4().hex[:16]}", "namespace": regarding["namespace"]},
                "eventTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
                "type": "Warning" if reason in _WARNINGS else "Normal",
                "reason": reason,
                "action": action,
                "note": note[:_NOTE],
                "regarding": regarding,
                "related": self._control_plane(),
                "reportingController": CONTROLLER,
                "reportingInstance": socket.gethostname()[:128],
            }
        )

    def _control_plane(self) -> Manifest:
        if self._plane is None:
            found = self._kube.list(CONTROL_PLANE, namespace=self._namespace)
            self._plane = _reference_to(found[0]) if found else {}
        return self._plane

    def _later(self, tell: Callable[[], None]) -> None:
        if not self._refused:
            self._waiting.put(tell)

    def _work(self) -> None:
        while (tell := self._waiting.get()) is not None and not self._muted:
            if self._refused:
                continue
            try:
                tell()
            except SeatrialError as error:
                self._refused = isinstance(error, NotPermitted)
                self._limit(str(error))
            except (KeyError, TypeError, ValueError, OSError) as error:  # an answer of another shape than documented
                self._limit(f"{type(error).__name__}: {error}")

    def _limit(self, why: str) -> None:
        if not self._told and not self._muted:
            self._told = True
            with suppress(SeatrialError, OSError):
                self._limited(f"Events on what is hurt: {why}")


def reference(subject: str, uid: str | None = None) -> dict[str, Any] | None:
    """Return how an Event names the object that a subject is; None for what is no object of a namespace."""
    parts = subject.split("/")
    known = _KINDS.get(parts[0])
    if known is None or len(parts) != 3:
        return None
    named = {"apiVersion": known[0], "kind": known[1], "namespace": parts[1], "name": parts[2]}
    return named if uid is None else {**named, "uid": uid}


def _reference_to(manifest: Manifest) -> dict[str, Any]:
    metadata = manifest["metadata"]
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        **{key: metadata[key] for key in ("namespace", "name", "uid")},
    }
