"""Queues are declared classic and unreplicated: each lives on one broker instance alone."""

from __future__ import annotations

import json

from seatrial_lab.platform.apply import Kubectl
from seatrial_lab.violations.deviation import Violation, patch_control_plane, pods, rolled_out, until


def _queue_type(kubectl: Kubectl, kind: str) -> None:
    """Declare the queue type, and let the services' queues be made anew: an existing one keeps its type."""
    patch_control_plane(kubectl, {"rabbitmq": {"templates": {"rabbitmq": {"queueType": kind}}}})
    wanted = "quorum" if kind == "Quorum" else "classic"

    def told() -> bool:
        status = kubectl.get("rabbitmq", "rabbitmq", "-n", "openstack")["status"]
        return bool(status.get("queueType") == kind)

    until("the broker's queue type", told)
    until("Keystone's roll-out", lambda: rolled_out(kubectl, "deployment", "keystone"))
    broker = pods(kubectl, "app.kubernetes.io/component=rabbitmq")[0]["metadata"]["name"]
    inside = ("exec", "-n", "openstack", broker, "-c", "rabbitmq", "--", "rabbitmqctl")
    queues = json.loads(kubectl.run(*inside, "list_queues", "name", "type", "--formatter", "json", "--silent"))
    for queue in queues:
        if queue["type"].removeprefix("rabbit_").removesuffix("_queue") != wanted:
            kubectl.run(*inside, "delete_queue", queue["name"])


VIOLATION = Violation(
    "classic-queues",
    "MSG-2",
    "queues are classic and live on one broker instance each",
    lambda kubectl: _queue_type(kubectl, "None"),
    lambda kubectl: _queue_type(kubectl, "Quorum"),
)
