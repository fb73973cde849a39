"""NetworkPolicy objects are kept on pod traffic within two seconds, and an agent's death opens nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.conftest import Lab

pytestmark = pytest.mark.long

NAMESPACE = "try-network-policy"
EFFECT_S = 2.0
TRY_S = 0.3
"""How long a caller waits for one connection."""
PATIENCE_S = 60.0
SERVE = "import http.server as h; h.ThreadingHTTPServer(('', 8080), h.SimpleHTTPRequestHandler).serve_forever()"
CALL = f"""
import socket, sys, time
while True:
    began = time.time()
    try:
        socket.create_connection((sys.argv[1], 8080), {TRY_S}).close()
        print(began, "through", flush=True)
    except OSError as problem:
        print(began, "blocked", flush=True)
    time.sleep(0.1)
"""


def pod(name: str, node: str, *argv: str) -> dict[str, Any]:
    container = {
        "name": "it",
        "image": "lab.local/base:1",
        "imagePullPolicy": "Never",
        "command": ["/usr/bin/catatonit", "--", "/usr/bin/python3", "-c", *argv],
        "ports": [{"name": "http", "containerPort": 8080}] if name == "server" else [],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1} if name == "server" else None,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 0, "containers": [container]},
    }


def policy(app: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": app, "namespace": NAMESPACE},
        "spec": {"podSelector": {"matchLabels": {"app": app}}, **spec},
    }


@dataclass(frozen=True)
class Callers:
    """Two pods that call a third, ten times a second: `near` on its node by its address, `far` through a Service."""

    lab: Lab

    def apply(self, *documents: dict[str, Any]) -> float:
        """Apply objects; return when that was done."""
        self.lab.kubectl("apply", "-f", "-", text=yaml.safe_dump_all(documents))
        return time.time()

    def delete(self, name: str) -> float:
        """Delete a policy; return when that was done."""
        self.lab.kubectl("delete", "networkpolicy", name, "-n", NAMESPACE)
        return time.time()

    def calls(self, caller: str) -> list[tuple[float, str]]:
        """Return when a caller began each call, and what came of it."""
        lines = self.lab.kubectl("logs", caller, "-n", NAMESPACE).splitlines()
        return [(float(began), end) for began, end in (line.split() for line in lines)]

    def fare(self, caller: str, end: str, since: float) -> float:
        """Check that all calls from two seconds after ``since`` on end like this; return how soon the first did."""
        wait_until(lambda: self.calls(caller)[-1][0] > since + EFFECT_S + 1)
        calls = [call for call in self.calls(caller) if call[0] > since]
        assert {how for began, how in calls if began > since + EFFECT_S} == {end}
        return next(began for began, how in calls if how == end) - since

    def agent(self, node: str) -> dict[str, Any]:
        """Return the pod of a node's agent."""
        where = f"spec.nodeName={node}"
        found: list[dict[str, Any]] = self.lab.get(
            "pod", "-n", "kube-system", "-l", "app=network-policy", "--field-selector", where
        )["items"]
        assert len(found) == 1
        return found[0]


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.3)


@pytest.fixture(scope="module")
def callers(full: Lab) -> Iterator[Callers]:
    """A server and its callers in a namespace of their own."""
    wait = ("wait", "-n", NAMESPACE, "--for=condition=Ready", "--timeout=60s", "pod")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server", "namespace": NAMESPACE},
        "spec": {"selector": {"app": "server"}, "ports": [{"port": 8080, "targetPort": "http"}]},
    }
    it = Callers(full)
    try:
        it.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
            pod("server", "node-0", SERVE),
            service,
        )
        full.kubectl(*wait, "server")
        address = full.get("pod", "server", "-n", NAMESPACE)["status"]["podIP"]
        virtual = full.get("service", "server", "-n", NAMESPACE)["spec"]["clusterIP"]
        it.apply(pod("near", "node-0", CALL, address), pod("far", "node-1", CALL, virtual))
        full.kubectl(*wait, "near", "far")
        yield it
    finally:
        full.kubectl("delete", "namespace", NAMESPACE)


@pytest.fixture(autouse=True)
def open_again(callers: Callers) -> None:
    """Begin without policies, all calls going through."""
    callers.lab.kubectl("delete", "networkpolicy", "--all", "-n", NAMESPACE)
    for caller in ("near", "far"):
        callers.fare(caller, "through", time.time())


def test_ingress(callers: Callers, record_property: Callable[[str, object], None]) -> None:
    """Closed for all, opened for one, open for all; the kubelet's probes are heard all the while."""
    closed = callers.apply(policy("server"))
    record_property("closed_after_s", [callers.fare(caller, "blocked", closed) for caller in ("near", "far")])
    peers = [{"podSelector": {"matchLabels": {"app": "far"}}}]
    opened = callers.apply(policy("server", ingress=[{"from": peers, "ports": [{"port": "http"}]}]))
    record_property("opened_after_s", callers.fare("far", "through", opened))
    assert {how for began, how in callers.calls("near") if began > closed + EFFECT_S} == {"blocked"}
    removed = callers.delete("server")
    record_property("removed_after_s", callers.fare("near", "through", removed))
    conditions = callers.lab.get("pod", "server", "-n", NAMESPACE)["status"]["conditions"]
    assert {"True"} == {c["status"] for c in conditions if c["type"] == "Ready"}


def test_egress(callers: Callers) -> None:
    """One caller may not call, the other may; a call to a Service is judged by the pod behind it."""
    closed = callers.apply(policy("far", policyTypes=["Egress"]))
    callers.fare("far", "blocked", closed)
    callers.fare("near", "through", closed)
    peers = [{"podSelector": {"matchLabels": {"app": "server"}}}]
    opened = callers.apply(policy("far", policyTypes=["Egress"], egress=[{"to": peers}]))
    callers.fare("far", "through", opened)


def test_labels_count_as_they_are_now(callers: Callers) -> None:
    """A caller that loses the label that let it in is kept out."""
    peers = [{"podSelector": {"matchExpressions": [{"key": "banned", "operator": "DoesNotExist"}]}}]
    opened = callers.apply(policy("server", ingress=[{"from": peers}]))
    callers.fare("near", "through", opened)
    callers.lab.kubectl("label", "pod", "near", "-n", NAMESPACE, "banned=yes")
    callers.fare("near", "blocked", time.time())
    callers.lab.kubectl("label", "pod", "near", "-n", NAMESPACE, "banned-")
    callers.fare("near", "through", time.time())


def test_rules_stay_while_an_agent_is_away_and_move_on_when_it_is_back(callers: Callers) -> None:
    """Its processes killed, then its pod deleted: nothing gets through at any time."""
    closed = callers.apply(policy("server"))
    for caller in ("near", "far"):
        callers.fare(caller, "blocked", closed)

    def restarts() -> int:
        statuses = callers.agent("node-0")["status"].get("containerStatuses") or [{"restartCount": -1}]
        return int(statuses[0]["restartCount"])

    def ready() -> bool:
        conditions = callers.agent("node-0")["status"]["conditions"]
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    before = restarts()
    kill = ["sh", "-c", "(sleep 0.5; kill -9 -1) >/dev/null 2>&1 </dev/null &"]
    callers.lab.kubectl("exec", callers.agent("node-0")["metadata"]["name"], "-n", "kube-system", "--", *kill)
    wait_until(lambda: restarts() > before and ready())
    old = callers.agent("node-0")["metadata"]
    callers.lab.kubectl("delete", "pod", old["name"], "-n", "kube-system")
    wait_until(lambda: callers.agent("node-0")["metadata"]["uid"] != old["uid"] and ready())
    for caller in ("near", "far"):
        assert {how for began, how in callers.calls(caller) if began > closed + EFFECT_S} == {"blocked"}
    removed = callers.delete("server")
    for caller in ("near", "far"):
        callers.fare(caller, "through", removed)
