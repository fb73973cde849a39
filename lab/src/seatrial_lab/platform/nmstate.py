"""nmstate-handler: keeps a node's devices as its NodeNetworkConfigurationPolicies say, and tells how that went.

One runs in each node's network, as a DaemonSet, like its model in an OpenShift. It acts on policies, on every change of
the node's devices, and now and then without an event; what it is not told of it leaves alone, and unlike its model it
does not take back a configuration that failed half-way.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seatrial_lab.platform import devices
from seatrial_lab.platform.rest import CONFLICT, ApiError, Rest

log = logging.getLogger("nmstate-handler")
Json = dict[str, Any]

ROOT = "/apis/nmstate.io"
POLICIES = f"{ROOT}/v1/nodenetworkconfigurationpolicies"
ENACTMENTS = f"{ROOT}/v1beta1/nodenetworkconfigurationenactments"
NAMES_AND_LABELS = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

LOOK_AGAIN_S = 20.0
SETTLE_S = 0.3
RETRY_S = 2.0
WATCH_S = 240
LINK, IPV4_ADDRESS, IPV4_ROUTE = 0x1, 0x10, 0x40
"""Netlink's groups of events."""

SUCCESS, FAILURE, PROGRESS, NO_NODE = (
    "SuccessfullyConfigured",
    "FailedToConfigure",
    "ConfigurationProgressing",
    "NoMatchingNode",
)

ENACTMENT_TYPES = ("Failing", "Available", "Progressing", "Pending", "Aborted")
POLICY_TYPES = ("Available", "Degraded", "Progressing", "Ignored")


def matches(policy: Json, labels: Json) -> bool:
    """Tell whether a policy is for a node with these labels."""
    selector = policy["spec"].get("nodeSelector") or {}
    return all(labels.get(key) == value for key, value in selector.items())


def enactment_of(policy: Json, problem: str | None) -> list[Json]:
    """Return the conditions of one policy on one node; ``problem``: what kept it from being so."""
    if problem is None:
        return _conditions({"Available": "True"}, SUCCESS, "successfully reconciled")
    return _conditions(
        {"Failing": "True"}, FAILURE, f"error reconciling policy {policy['metadata']['name']}: {problem}"
    )


def verdict_on(policy: Json, nodes: Sequence[str], enactments: Sequence[Json]) -> list[Json]:
    """Return the conditions of a policy: what came of it on all the nodes that it is for."""
    name, generation = policy["metadata"]["name"], policy["metadata"]["generation"]
    if not nodes:
        return _conditions({"Ignored": "True"}, NO_NODE, "Policy does not match any node", POLICY_TYPES)
    states = {e["metadata"]["name"]: e.get("status") or {} for e in enactments}
    current = [states.get(f"{node}.{name}", {}) for node in nodes]
    said = [
        {c["type"] for c in state.get("conditions") or () if c["status"] == "True"}
        for state in current
        if state.get("policyGeneration") == generation
    ]
    failed, good = sum("Failing" in types for types in said), sum("Available" in types for types in said)
    if failed:
        message = f"{failed}/{len(nodes)} nodes failed to configure"
        return _conditions({"Degraded": "True"}, FAILURE, message, POLICY_TYPES)
    if good == len(nodes):
        message = f"{good}/{len(nodes)} nodes successfully configured"
        return _conditions({"Available": "True"}, SUCCESS, message, POLICY_TYPES)
    message = f"Policy is progressing {good}/{len(nodes)} nodes finished"
    return _conditions({"Progressing": "True"}, PROGRESS, message, POLICY_TYPES, others="Unknown")


def _conditions(
    said: dict[str, str], reason: str, message: str, types: Sequence[str] = ENACTMENT_TYPES, *, others: str = "False"
) -> list[Json]:
    return [
        {"type": kind, "status": said.get(kind, others), "reason": reason, "message": message if kind in said else ""}
        for kind in types
    ]


def dated(conditions: Sequence[Json], before: Sequence[Json]) -> list[Json] | None:
    """Return the conditions with their times; None when they say what was said before."""
    old = {c["type"]: c for c in before}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if len(old) == len(conditions) and all(c.items() <= old.get(c["type"], {}).items() for c in conditions):
        return None
    same = {kind for c in conditions if (kind := c["type"]) in old and old[kind]["status"] == c["status"]}
    return [
        {
            **c,
            "lastHeartbeatTime": now,
            "lastTransitionTime": old[c["type"]]["lastTransitionTime"] if c["type"] in same else now,
        }
        for c in conditions
    ]


class Handler:
    """Does the policies' work on one node."""

    def __init__(self, rest: Rest, node: str) -> None:
        self._rest = rest
        self._node = node
        self._policies: dict[str, Json] = {}
        self._nodes: dict[str, Json] = {}

    def drifted(self) -> bool:
        """Tell whether the devices are not as the policies known so far say."""
        return any(devices.drifted(policy["spec"]["desiredState"]) for policy in self._policies.values())

    def round(self) -> None:
        """Read what is wanted, bring it about, and report; raise ApiError when nobody could be asked or told."""
        self._enforce(lambda *_: None)  # what is known is kept, whether anybody answers or not
        everything = self._read()
        self._enforce(self._enact)
        for gone in [e for e in self._enactments() if self._is_stale(e)]:
            self._rest.ask("DELETE", f"{ENACTMENTS}/{gone['metadata']['name']}")
        for policy in everything:
            self._judge(policy)

    def _read(self) -> list[Json]:
        nodes = self._rest.ask("GET", "/api/v1/nodes", accept=NAMES_AND_LABELS)["items"]
        self._nodes = {node["metadata"]["name"]: node["metadata"].get("labels") or {} for node in nodes}
        everything: list[Json] = self._rest.ask("GET", POLICIES)["items"]
        ours = self._nodes.get(self._node, {})
        self._policies = {policy["metadata"]["name"]: policy for policy in everything if matches(policy, ours)}
        return everything

    def _enforce(self, report: Callable[[Json, list[Json]], None]) -> None:
        for policy in self._policies.values():
            problem = None
            wanted = policy["spec"]["desiredState"]
            try:
                if devices.drifted(wanted):
                    log.info("%s: configuring", policy["metadata"]["name"])
                    devices.configure(wanted)
            except devices.CannotConfigure as error:
                problem = str(error)
                log.warning("%s: %s", policy["metadata"]["name"], problem)
            report(policy, enactment_of(policy, problem))

    def _enactments(self) -> list[Json]:
        found: list[Json] = self._rest.ask("GET", ENACTMENTS)["items"]
        return found

    def _is_stale(self, enactment: Json) -> bool:
        labels = enactment["metadata"].get("labels") or {}
        return labels.get("nmstate.io/node") == self._node and labels.get("nmstate.io/policy") not in self._policies

    def _enact(self, policy: Json, conditions: list[Json]) -> None:
        """Report what came of a policy on this node."""
        meta = policy["metadata"]
        name = f"{self._node}.{meta['name']}"
        before = next((e for e in self._enactments() if e["metadata"]["name"] == name), None)
        if before is None:
            labels = {"nmstate.io/policy": meta["name"], "nmstate.io/node": self._node}
            body = {
                "apiVersion": "nmstate.io/v1beta1",
                "kind": "NodeNetworkConfigurationEnactment",
                "metadata": {"name": name, "labels": labels},
            }
            before = self._rest.ask("POST", ENACTMENTS, body)
        status = before.get("status") or {}
        told = dated(conditions, status.get("conditions") or ())
        if told or status.get("policyGeneration") != meta["generation"]:
            said = {"policyGeneration": meta["generation"], "conditions": told or status["conditions"]}
            self._rest.ask("PATCH", f"{ENACTMENTS}/{name}/status", {"status": said})

    def _judge(self, policy: Json) -> None:
        """Report what came of a policy on all its nodes, unless somebody else has written in between."""
        name = policy["metadata"]["name"]
        nodes = sorted(node for node, labels in self._nodes.items() if matches(policy, labels))
        if nodes and self._node not in nodes:
            return
        told = dated(
            verdict_on(policy, nodes, self._enactments()), (policy.get("status") or {}).get("conditions") or ()
        )
        if told:
            seen = {"resourceVersion": policy["metadata"]["resourceVersion"]}
            try:
                self._rest.ask("PATCH", f"{POLICIES}/{name}/status", {"metadata": seen, "status": {"conditions": told}})
            except ApiError as refused:
                if refused.status != CONFLICT:
                    raise


def hear_policies(rest: Rest, heard: queue.SimpleQueue[str]) -> None:
    """Tell of every change of a policy."""
    while True:
        try:
            for _ in rest.changes(POLICIES, WATCH_S):
                heard.put("policies")
        except ApiError as problem:
            log.warning("%s", problem)
            time.sleep(RETRY_S)


def hear_devices(heard: queue.SimpleQueue[str]) -> None:
    """Tell of every change of a device, an address or a route of this network namespace."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.bind((0, LINK | IPV4_ADDRESS | IPV4_ROUTE))
        while True:
            try:
                netlink.recv(65536)
            except OSError as problem:  # more events than it holds: all the more reason to look
                log.info("%s", problem)
            heard.put("devices")


def _wait(heard: queue.SimpleQueue[str], handler: Handler) -> None:
    """Return when a round is due: most events of devices are about those of pods, and concern no policy."""
    while True:
        try:
            news = {heard.get(timeout=LOOK_AGAIN_S)}
        except queue.Empty:
            return
        time.sleep(SETTLE_S)
        while not heard.empty():
            news.add(heard.get())
        if "policies" in news or handler.drifted():
            return


def main() -> None:
    """Serve this node until the process is ended."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    server = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    tls = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    rest = Rest(server, tls, lambda: {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}"})
    handler = Handler(rest, os.environ["NODE_NAME"])
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=hear_policies, args=(rest, heard), daemon=True).start()
    threading.Thread(target=hear_devices, args=(heard,), daemon=True).start()
    while True:
        try:
            handler.round()
        except ApiError as problem:
            log.warning("%s", problem)
            time.sleep(RETRY_S)
        else:
            _wait(heard, handler)


if __name__ == "__main__":
    main()
