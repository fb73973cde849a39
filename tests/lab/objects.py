"""Objects of the control plane's namespace: as they are, what they say of themselves, and changed."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import Lab

CONTROL_PLANE = ("openstackcontrolplane", "controlplane")
NODE_SET = ("openstackdataplanenodeset", "openstack-edpm")
Which = tuple[str, str]
"""Kind and name."""


def find(lab: Lab, which: Which) -> dict[str, Any] | None:
    """An object, if it is there."""
    said = lab.kubectl("get", *which, "-n", "openstack", "--ignore-not-found", "-o", "json")
    return json.loads(said) if said else None


def read(lab: Lab, which: Which) -> dict[str, Any]:
    """An object that is there."""
    live = find(lab, which)
    assert live
    return live


def conditions(lab: Lab, which: Which) -> dict[str, dict[str, Any]]:
    """What an object says of itself, if it is about its specification as it is now."""
    live = find(lab, which) or {"metadata": {}}
    status = live.get("status") or {}
    if status.get("observedGeneration") != live["metadata"].get("generation"):
        return {}
    return {each["type"]: each for each in status.get("conditions") or ()}


def is_ready(lab: Lab, which: Which) -> bool:
    """Whether all that an object asks for is so."""
    return conditions(lab, which).get("Ready", {}).get("status") == "True"


def denies(lab: Lab, which: Which, condition: str, words: str) -> bool:
    """Whether an object says that something is not so, and in what it says are these words."""
    told = conditions(lab, which).get(condition, {})
    return told.get("status") == "False" and words in told["message"]


def patch(lab: Lab, which: Which, spec: dict[str, Any]) -> None:
    """Change a part of what an object asks for; None takes a part away."""
    lab.kubectl("patch", *which, "-n", "openstack", "--type=merge", "-p", json.dumps({"spec": spec}))
