"""The agent: hears of changes, and makes the node's rules follow. When it dies the rules stay as they are."""

from __future__ import annotations

import http.client
import logging
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from seatrial_lab.platform.policy.feed import WINDOW_S, Feed
from seatrial_lab.platform.policy.objects import Json, Labels, labels_of, pod_of, policy_of
from seatrial_lab.platform.policy.rules import TABLE, Cluster, ruleset

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
BRIDGED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
HEALTH_PORT = 9441
GATHER_S = 0.1
"""Changes rarely come alone."""
LOOK_S = 10.0
"""How often the rules in force are compared with those put in."""
log = logging.getLogger("policy")


class Table:
    """The agent's table in the node's nftables."""

    def __init__(self) -> None:
        self._text = self._listed = ""

    def put(self, text: str) -> bool:
        """Make these the rules, in one transaction, if they are not; tell whether anything was done."""
        if text == self._text and self._list() == self._listed:
            return False
        self._text = ""
        subprocess.run(["nft", "-f", "-"], check=True, input=text, text=True, capture_output=True)
        self._text, self._listed = text, self._list()
        return True

    def _list(self) -> str:
        listing = ["nft", "--stateless", "list", "table", *TABLE.split()]
        return subprocess.run(listing, check=False, capture_output=True, text=True).stdout


class Agent:
    """Keeps one node's table in step with the cluster."""

    def __init__(self, node: str, connect: Callable[[], tuple[http.client.HTTPConnection, dict[str, str]]]) -> None:
        self._node, self._table, self._changed = node, Table(), threading.Event()
        self._policies = Feed("/apis/networking.k8s.io/v1/networkpolicies", connect, policy_of, self._changed)
        self._pods = Feed("/api/v1/pods", connect, pod_of, self._changed)
        self._namespaces = Feed("/api/v1/namespaces", connect, _namespace, self._changed)
        self._feeds = (self._policies, self._pods, self._namespaces)
        self._trouble = "nothing was put in force yet"

    @property
    def trouble(self) -> str:
        """Return why the node may be out of step; empty when it is not."""
        deaf = [feed.name for feed in self._feeds if not feed.fresh]
        return f"not following {', '.join(deaf)}" if deaf else self._trouble

    def run(self) -> None:
        """Follow changes for ever, and put right what others did to the table."""
        for feed in self._feeds:
            feed.start()
        while True:
            if self._changed.wait(LOOK_S):
                time.sleep(GATHER_S)
                self._changed.clear()
            self._step()

    def _step(self) -> None:
        if any(feed.objects is None for feed in self._feeds):
            return  # the rules of the agent before us stay until all is known
        namespaces: dict[str, Labels] = dict((self._namespaces.objects or {}).values())
        policies, pods = (list((feed.objects or {}).values()) for feed in (self._policies, self._pods))
        try:
            if self._table.put(ruleset(Cluster(policies, pods, namespaces), self._node)):
                log.info("in force: %d policies, %d pods", len(policies), len(pods))
            self._trouble = _unseen()
        except subprocess.CalledProcessError as problem:
            self._trouble = f"nft: {problem.stderr.strip()}"
            log.error("%s", self._trouble)


def _namespace(document: Json) -> tuple[str, Labels]:
    return document["metadata"]["name"], labels_of(document)


def _unseen() -> str:
    """Return what would keep packets between two pods of this node from the rules."""
    if BRIDGED.exists() and BRIDGED.read_text().strip() == "1":
        return ""
    return f"{BRIDGED} is not 1: traffic between two pods of this node passes by its policies"


def serve_health(agent: Agent) -> None:
    """Answer on the node's loopback whether the rules are in step."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer 200, or 503 and why."""
            trouble = agent.trouble
            self.send_response(503 if trouble else 200)
            self.end_headers()
            self.wfile.write(f"{trouble or 'ok'}\n".encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing of every probe."""

    server = HTTPServer(("127.0.0.1", HEALTH_PORT), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def in_cluster() -> tuple[http.client.HTTPConnection, dict[str, str]]:
    """Return a connection to the API server and what shows there who the agent is."""
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])
    connection = http.client.HTTPSConnection(host, port, timeout=WINDOW_S + 10, context=context)
    return connection, {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}", "Accept": "application/json"}


def main() -> None:
    """Run the agent of the node that NODE_NAME names."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    agent = Agent(os.environ["NODE_NAME"], in_cluster)
    serve_health(agent)
    agent.run()
