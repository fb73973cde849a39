"""Who is spoken to by the census: ports that somebody declared, and nobody who is hurt."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.clients.kube_exec import ExecResult
from seatrial.model.inventory import Container, Inventory, Port, ServiceObject
from seatrial.model.target import Cloud, Kubernetes, Target
from seatrial.probes.census import speak, watching
from seatrial.probes.census.ports import STATE_TRANSFER, declared
from seatrial.probes.census.sockets import End
from tests.unit import eyes_evidence as eyes

HERE = "127.0.0.1"


def manifest(name: str, *ports: int, ip: str = HERE, labels: dict[str, str] | None = None) -> dict[str, Any]:
    declares = [{"containerPort": port} for port in ports]
    return {
        "metadata": {"name": name, "namespace": "openstack", "uid": f"uid-{name}", "labels": labels or {}},
        "spec": {"containers": [{"name": "it", "ports": declares}]},
        "status": {"podIP": ip, "podIPs": [{"ip": ip}], "phase": "Running"},
    }


def inventory(*services: ServiceObject) -> Inventory:
    return replace(eyes.inventory(), services=services)


def running() -> Inventory:
    """Return a deployment with a container in which scripts can run."""
    full = inventory()
    [first, *others] = full.components
    alive = tuple(replace(r, containers=(Container("it", True, 0),)) for r in first.replicas)
    return replace(full, components=(replace(first, replicas=alive), *others))


def service(target: str, selector: dict[str, str], *backends: str, protocol: str = "TCP") -> ServiceObject:
    port = Port("it", 80, target, protocol)
    return ServiceObject("s", "openstack", "galera", "ClusterIP", "172.30.0.9", (), (port,), selector, backends, {}, ())


def test_ports_of_containers_and_targets_of_services_are_spoken_to_and_no_others() -> None:
    """By its selector, or by its endpoints where it has none; in its own namespace; by TCP."""
    pod = manifest("db-0", 3306, ip="10.0.0.1", labels={"app": "db"})
    assert declared(inventory(), [pod]) == {End("10.0.0.1", 3306)}
    for leading in (service("9", {"app": "db"}), service("9", {}, "db-0")):
        assert declared(inventory(leading), [pod]) == {End("10.0.0.1", 3306), End("10.0.0.1", 9)}
    elsewhere = replace(service("9", {"app": "db"}), namespace="openstack-operators")
    for other in (
        service("9", {"app": "web"}),
        service("9", {}),
        elsewhere,
        service("9", {"app": "db"}, protocol="UDP"),
    ):
        assert declared(inventory(other), [pod]) == {End("10.0.0.1", 3306)}


@given(st.sets(st.integers(1, 65535) | st.sampled_from(sorted(STATE_TRANSFER))))
def test_a_joining_member_is_never_spoken_to_where_it_waits_for_its_donor(ports: set[int]) -> None:
    """Not even if its pod declares those ports."""
    found = declared(inventory(), [manifest("db-0", *ports)])
    assert found == {End(HERE, port) for port in ports - STATE_TRANSFER}


@pytest.mark.parametrize("hurt", [eyes.pod(eyes.GALERA[0]), "statefulset/openstack/openstack-galera"])
def test_a_component_that_is_hurt_is_left_alone_whole(hurt: str) -> None:
    """Its other members are what keeps it going."""
    pods = [manifest(name, 3306, ip=f"10.0.0.{i}") for i, name in enumerate((*eyes.GALERA, eyes.KEYSTONE[0]), 1)]
    assert declared(inventory(), pods, spared=[hurt]) == {End("10.0.0.4", 3306)}


def test_a_listener_for_one_client_alone_is_not_consumed() -> None:
    """A state transfer waits beside a declared server: the census lists both, and speaks to the server only."""
    greeted: list[str] = []
    with socket.create_server((HERE, 0)) as server, socket.create_server((HERE, 0)) as one_shot:
        open_port, closed_port = (s.getsockname()[1] for s in (server, one_shot))

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with client:
                        greeted.append(client.recv(100).decode(errors="replace"))
                        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        deployment: Any = SimpleNamespace(
            kube=_Kube(manifest("db-0", open_port), [open_port, closed_port]),
            target=Target("t", Kubernetes((Path("kubeconfig"),)), Cloud(Path("clouds.yaml"), "c")),
        )
        [census] = watching.watch(deployment, running(), watch_s=0)
        one_shot.settimeout(0)
        with pytest.raises(BlockingIOError):
            one_shot.accept()
        server.close()
    assert census.seen, census.error
    said = {entry["port"]: entry for entry in census.value["listeners"]}  # type: ignore[index,call-overload,union-attr]
    assert said[open_port]["protocol"] == "http"
    assert (said[closed_port]["protocol"], said[closed_port]["proof"]) == ("unknown", "not spoken to")
    assert any(line.startswith("GET /") for line in greeted)


class _Kube:
    """One pod whose sockets are these; the harness's own script really speaks to what it is given."""

    def __init__(self, pod: dict[str, Any], ports: list[int]) -> None:
        pod["status"]["containerStatuses"] = [{"name": "it", "state": {"running": {}}}]
        self.pod, self.ports = pod, ports

    def list(self, kind: str, **_: Any) -> list[dict[str, Any]]:
        return [self.pod] if kind == "Pod" else []

    def get(self, *_: Any, **__: Any) -> None:
        return None

    def exec(self, pod: str, argv: list[str], *, stdin: str | None = None, **_: Any) -> ExecResult:
        if stdin is None:
            rows = [f" {i}: 00000000:{p:04X} 00000000:0000 0A 0:0 0:0 0 0 0 {i}" for i, p in enumerate(self.ports)]
            return ExecResult("\n".join(["#tcp", "header", *rows, "#tcp6", "#comm", "#fd", "#end"]), "", 0)
        config = json.loads(json.loads(stdin.rsplit("main(json.loads(", 1)[1].rsplit("))", 1)[0]))
        told = io.StringIO()
        with contextlib.redirect_stdout(told):
            speak.main({**config, "patience_s": 0.5})
        return ExecResult(told.getvalue(), "", 0)
