"""The script that speaks to listeners, against real sockets; and the naming of parties."""

from __future__ import annotations

import http.server
import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from seatrial.probes.census import speak
from seatrial.probes.census.parties import PodNetwork, directory, pod_party
from seatrial.probes.census.sockets import SCRIPT, parse
from seatrial.probes.keystone import ask
from tests.unit import eyes_evidence as eyes

GREETING = b"\x0a" + b"5.5.5-10.11.6-MariaDB\0" + b"\x01\0\0\0" + b"x" * 40
Talk = Callable[[socket.socket], None]


@contextmanager
def server(talk: Talk) -> Iterator[int]:
    """A server on a real socket that treats each client as ``talk`` does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                try:
                    connection, _ = listening.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(2)
                    try:
                        talk(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            ended.set()
            thread.join()


def amqp(connection: socket.socket) -> None:
    if not connection.recv(100).startswith(b"AMQP"):
        connection.sendall(b"AMQP\0\0\x09\x01")


def mysql(connection: socket.socket) -> None:
    connection.sendall(len(GREETING).to_bytes(3, "little") + b"\0" + GREETING)
    assert b"seatrial-census" in connection.recv(200)
    connection.sendall(b"\x03\0\0\x02\xff\x15\x04")


def memcached(connection: socket.socket) -> None:
    said = connection.recv(200)
    connection.sendall(b"VERSION 1.6.18\r\n" if said == b"version\r\n" else b"ERROR\r\n")


def gcomm(connection: socket.socket) -> None:
    connection.sendall((20).to_bytes(3, "little") + b"\x10" + b"crc." + b"\0\x01" + b"u" * 18)


def silent(connection: socket.socket) -> None:
    connection.recv(200)


@pytest.mark.parametrize(
    ("talk", "protocol"),
    [(amqp, "amqp"), (mysql, "mysql"), (memcached, "memcached"), (gcomm, "galera"), (silent, "unknown")],
)
def test_a_listener_is_known_by_what_it_says(talk: Talk, protocol: str) -> None:
    """Each server is spoken to as its clients do, and shows what it is."""
    with server(talk) as port:
        assert speak.identify(speak.Caller(0.5), "127.0.0.1", port)[0] == protocol


def test_calls_come_from_ports_that_nobody_else_calls_from() -> None:
    """By them the next census, too, knows what this one did; a port in use is passed over."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        caller = speak.Caller(0.5)
        taken = next(caller._ports)
        caller._ports = itertools.chain([taken], caller._ports)
        with socket.socket() as other:
            other.bind(("", taken))
            calls = [caller.connect("127.0.0.1", listening.getsockname()[1]) for _ in range(5)]
        ports = {call.getsockname()[1] for call in calls}
        for call in calls:
            call.close()
    assert len(ports) == 5
    assert ports <= set(speak.CALLS_FROM) - {taken}


def test_an_http_server_is_known_and_the_proof_is_its_answer() -> None:
    """The status line is the proof that a reader can check."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        protocol, proof = speak.identify(speak.Caller(1.0), "127.0.0.1", web.server_address[1])
        web.shutdown()
    assert protocol == "http"
    assert proof.startswith("HTTP/1.0 501")


def test_the_script_reads_the_sockets_and_processes_of_this_machine() -> None:
    """The text that runs in pods runs here, and shows a socket of our own with our own name."""
    import subprocess  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", 0)) as listening:
        said = subprocess.run(["sh", "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
        sample = parse(said)
        port = listening.getsockname()[1]
    own = [row for row in sample.rows if row.listens and row.local.port == port]
    assert sample.complete
    assert len(own) == 1
    assert own[0].inode in sample.processes


def test_a_pod_knows_its_node_and_its_network_by_its_routes() -> None:
    """The platform need not say which addresses are whose: the pod's own routing table does."""
    routes = ["Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT"]
    routes += ["eth0 00000000 0101800A 0003 0 0 0 00000000 0 0 0", "eth0 0001800A 00000000 0001 0 0 0 00FFFFFF 0 0 0"]
    sample = parse("\n".join(["#tcp", "header", "#route", *routes, "#end"]))
    assert sample.gateways == ("10.128.1.1",)
    assert sample.networks == ("10.128.1.0/24",)


def manifest(name: str, ip: str, *, uid: str = "new", owned: bool = True, service: str = "") -> dict[str, object]:
    owners = [{"kind": "ReplicaSet", "name": "rs", "uid": "rs", "controller": True}] if owned else []
    labels = {"service": service} if service else {}
    metadata = {"name": name, "namespace": "openstack", "uid": uid, "ownerReferences": owners, "labels": labels}
    return {"metadata": metadata, "spec": {}, "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}}


def test_a_pod_that_came_after_discovery_is_named_by_the_component_it_continues() -> None:
    """A replaced pod of keystone is keystone's; a pod that nobody made is only what its label says."""
    inventory = eyes.inventory()
    heir = pod_party(manifest("keystone-6d-z", "10.128.0.40"), inventory)
    assert (heir.service, heir.component, heir.role) == ("keystone", "keystone", "api")
    stray = pod_party(manifest("keystone-spy", "10.128.0.41", owned=False, service="glance"), inventory)
    assert (stray.service, stray.component, stray.role) == ("glance", "keystone-spy", "other")


def test_addresses_are_named_by_who_has_them() -> None:
    """Nodes answer from their place in the pod network too; an address that no pod had is unknown, not outside."""
    node = {
        "metadata": {"name": "node-0"},
        "spec": {"podCIDR": "10.128.0.0/24"},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.168.122.10"}]},
    }
    seen = PodNetwork("node-1", ("10.128.1.1",), ("10.128.1.0/24",))
    book = directory(eyes.inventory(), [manifest("keystone-6d-z", "10.128.0.40")], nodes=[node], networks=[seen])
    assert book.name("10.128.0.40").service == "keystone"
    assert book.name("192.168.122.10").service == "node"
    assert book.name("10.128.0.1").service == "node"
    assert (book.name("10.128.1.1").service, book.name("10.128.1.1").component) == ("node", "node-1")
    assert book.name("10.128.1.77").service == "unknown"
    assert book.name("10.128.0.77").service == "unknown"
    assert book.name("8.8.8.8").service == "outside"


class Door(http.server.BaseHTTPRequestHandler):
    """Lets in whoever shows a token."""

    def do_GET(self) -> None:
        self.send_response(200 if self.headers.get("X-Auth-Token") == "t" and self.path == "/v3/projects" else 401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def test_the_script_that_asks_tells_with_from_without_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    """Each answer is an answer, and a door that is not there is an error beside them."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door) as web, socket.create_server(("127.0.0.1", 0)) as gone:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        port = gone.getsockname()[1]
        gone.close()
        urls = [f"http://127.0.0.1:{web.server_address[1]}/v3/projects", f"http://127.0.0.1:{port}/v3/projects"]
        questions = [{"url": url, "token": given} for url in urls for given in (None, "t")]
        ask.main({"patience_s": 1.0, "questions": questions})
        web.shutdown()
    without, with_token, *refused = json.loads(capsys.readouterr().out)
    assert (without, with_token) == ({"status": 401}, {"status": 200})
    assert all("ConnectionRefusedError" in one["error"] for one in refused)
