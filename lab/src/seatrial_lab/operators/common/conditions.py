"""Conditions in the shape of RHOSO's operators (`lib-common`).

All are Unknown at the start of a round; `Ready` comes first in the list and mirrors the worst of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from seatrial_lab.operators.common.resources import Json

READY: Final = "Ready"
SETUP_STARTED: Final = "Setup started"
SETUP_COMPLETE: Final = "Setup complete"

# Worst first; a condition that is True is worse than none.
_BADNESS: Final = (("False", "Error"), ("False", "Warning"), ("False", "Info"), ("False", ""), ("Unknown", ""))


def timestamp() -> str:
    """Now, as Kubernetes writes times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Conditions:
    """The conditions of one resource during one reconcile; they begin as Unknown, whatever they were before."""

    def __init__(self, types: Iterable[str], before: Sequence[Json] = ()) -> None:
        self._before = {str(condition.get("type")): condition for condition in before}
        self._now: dict[str, Json] = {}
        for kind in types:
            self.unknown(kind)

    def unknown(self, kind: str, message: str = "Not started") -> None:
        """Nothing is known yet."""
        self._set(kind, "Unknown", severity="", reason="Init", message=message)

    def true(self, kind: str, message: str) -> None:
        """It is so."""
        self._set(kind, "True", severity="", reason="Ready", message=message)

    def waiting(self, kind: str, message: str) -> None:
        """It is not so yet, and what it waits for is on its way."""
        self._set(kind, "False", severity="Info", reason="Requested", message=message)

    def failed(self, kind: str, message: str, *, severity: str = "Error") -> None:
        """It is not so, and something is wrong."""
        self._set(kind, "False", severity=severity, reason="Error", message=message)

    def drop(self, kind: str) -> None:
        """The condition doesn't apply to this resource (a disabled part has none)."""
        self._now.pop(kind, None)

    def is_true(self, kind: str) -> bool:
        """Whether it has been established in this reconcile."""
        return self._now.get(kind, {}).get("status") == "True"

    def all_true(self) -> bool:
        """Whether every condition has been established."""
        return all(condition["status"] == "True" for condition in self._now.values())

    def first_open(self) -> str:
        """The first condition not established: what a reconcile was busy with when it stopped."""
        return next((kind for kind, condition in self._now.items() if condition["status"] != "True"), READY)

    def listed(self) -> list[Json]:
        """What goes into `status.conditions`: Ready first, the others by name; unchanged ones keep their time."""
        return [self._dated(self._ready()), *(self._dated(self._now[kind]) for kind in sorted(self._now))]

    def _set(self, kind: str, status: str, *, severity: str, reason: str, message: str) -> None:
        condition = {"type": kind, "status": status, "reason": reason, "message": message}
        if severity:
            condition["severity"] = severity
        self._now[kind] = condition

    def _ready(self) -> Json:
        for status, severity in _BADNESS:
            for condition in self._now.values():
                if condition["status"] == status and condition.get("severity", "") == severity:
                    if status == "Unknown" and not any(c["status"] == "True" for c in self._now.values()):
                        return {**condition, "type": READY, "message": SETUP_STARTED}
                    return {**condition, "type": READY}
        return {"type": READY, "status": "True", "reason": "Ready", "message": SETUP_COMPLETE}

    def _dated(self, condition: Json) -> Json:
        before = self._before.get(condition["type"], {})
        same = before.get("status") == condition["status"] and "lastTransitionTime" in before
        return {**condition, "lastTransitionTime": before["lastTransitionTime"] if same else timestamp()}


def is_ready(resource: Json | None, kind: str = READY) -> bool:
    """Whether a resource says of its present generation that it is ready (an absent one is not)."""
    if resource is None:
        return False
    status = resource.get("status") or {}
    current = status.get("observedGeneration") == resource["metadata"].get("generation")
    return current and any(c.get("type") == kind and c.get("status") == "True" for c in status.get("conditions") or ())


def said(resource: Json | None) -> str:
    """What a resource says of itself, for the condition of the one that waits for it."""
    if resource is None:
        return "does not exist"
    if is_ready(resource):
        return "is ready"
    return str((condition_of(resource) or {}).get("message") or "not looked at yet")


def pod_is_ready(pod: Json) -> bool:
    """Whether a pod is ready, and not on its way out."""
    leaves = pod["metadata"].get("deletionTimestamp")
    return not leaves and (condition_of(pod) or {}).get("status") == "True"


def condition_of(resource: Json, kind: str = READY) -> Json | None:
    """One condition of a resource, if it has it."""
    conditions = (resource.get("status") or {}).get("conditions") or ()
    return next((condition for condition in conditions if condition.get("type") == kind), None)
