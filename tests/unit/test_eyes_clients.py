"""What clients make of foreign answers, and how they behave when there is none."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seatrial.clients import galera, in_pod, rabbitmq
from seatrial.clients.kube import Kube, Rejected
from seatrial.clients.looking import Malformed, look
from seatrial.clients.openstack import OpenStack
from seatrial.model.errors import BadInput, NotPermitted, Unreachable
from seatrial.model.target import Cloud, Kubernetes, Target
from tests.unit import eyes_evidence as eyes

cells = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]))


def escaped(cell: str) -> str:
    for plain, written in (("\\", "\\\\"), ("\n", "\\n"), ("\t", "\\t")):
        cell = cell.replace(plain, written)
    return cell


@given(st.lists(st.tuples(cells, cells)))
def test_rows_come_back_as_the_server_has_them(rows: list[tuple[str, str]]) -> None:
    """Whatever a cell holds, it is read as it was before ``mysql --batch`` escaped it."""
    text = "".join("\t".join(map(escaped, row)) + "\n" for row in [("a", "b"), *rows])
    assert galera.parse(text) == [{"a": a, "b": b} for a, b in rows]


@given(st.text())
def test_foreign_answers_are_understood_or_refused(text: str) -> None:
    """A parser returns, or says that the answer was malformed; it never fails otherwise."""
    for parse in (galera.parse, lambda said: rabbitmq.parse(said, what="x")):
        try:
            parse(text)
        except Malformed:
            continue


def test_an_error_of_the_server_is_told_from_one_of_the_client() -> None:
    """Only a server's own number says that there is a server."""
    refused = galera._SERVER_ERROR.match("ERROR 1146 (42S02) at line 1: Table 'x.y' doesn't exist")
    assert refused
    assert refused.group(1) == "1146"
    assert not galera._SERVER_ERROR.match("ERROR 2002 (HY000): Can't connect to local server through socket")


def refuse(error: Exception) -> Any:
    raise error


@pytest.mark.parametrize("error", [Unreachable("gone"), NotPermitted("no"), KeyError("name"), Malformed("?")])
def test_not_being_able_to_look_is_an_observation_with_an_error(error: Exception) -> None:
    """Looking never raises for a deployment's sake, and has a value or an error, never both."""
    blind = look("p", "pod/x/y", lambda: refuse(error))
    assert not blind.seen
    assert blind.value is None
    seen = look("p", "pod/x/y", lambda: None)
    assert seen.seen
    assert seen.id != blind.id


def test_the_harness_own_mistake_is_not_hidden_in_an_observation() -> None:
    """What no deployment can cause goes up."""
    with pytest.raises(ZeroDivisionError):
        look("p", "pod/x/y", lambda: 1 // 0)


class Platform(http.server.BaseHTTPRequestHandler):
    """Answers as a platform's API would, from a table."""

    table: ClassVar[dict[str, tuple[int, Any]]] = {}

    def do_GET(self) -> None:
        status, body = self.table.get(self.path, (404, {"message": "not there"}))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[tuple[dict[str, tuple[int, Any]], Target]]:
    Platform.table = {}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Platform) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield Platform.table, target(tmp_path, web.server_address[1])
        web.shutdown()


def target(folder: Path, port: int) -> Target:
    kubeconfig = folder / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "t0p-s3cret"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    kubeconfig.write_text(yaml.safe_dump(document))
    return Target("t", Kubernetes((kubeconfig,)), Cloud(folder / "clouds.yaml", "lab"))


def test_a_long_list_is_read_page_by_page(platform: tuple[dict[str, tuple[int, Any]], Target]) -> None:
    """Nothing is left out when the platform answers in pages, and each object says what it is."""
    table, where = platform
    table["/api/v1/pods?limit=500"] = (200, {"metadata": {"continue": "n"}, "items": [{"metadata": {"name": "a"}}]})
    table["/api/v1/pods?limit=500&continue=n"] = (200, {"metadata": {}, "items": [{"metadata": {"name": "b"}}]})
    kube = Kube(where)
    assert [(p["kind"], p["metadata"]["name"]) for p in kube.list("Pod")] == [("Pod", "a"), ("Pod", "b")]
    kube.close()


def test_refusals_are_told_apart_by_who_must_act(platform: tuple[dict[str, tuple[int, Any]], Target]) -> None:
    """Absent is None, forbidden is the owner's affair, anything else is the environment's; no token in any text."""
    table, where = platform
    pods = "/api/v1/namespaces/o/pods/"
    table.update(
        {
            f"{pods}forbidden": (403, {"message": "may not"}),
            f"{pods}expired": (401, {"message": "Unauthorized"}),
            f"{pods}broken": (500, {"message": "etcd"}),
            f"{pods}html": (200, b"<html>"),
            "/api": (200, {"kind": "APIGroupDiscoveryList", "items": []}),
            "/apis": (200, {"kind": "APIGroupDiscoveryList", "items": []}),
        }
    )
    kube = Kube(where)
    assert kube.get("Pod", "absent", namespace="o") is None
    for name, error in (
        ("forbidden", NotPermitted),
        ("expired", NotPermitted),
        ("broken", Rejected),
        ("html", Unreachable),
    ):
        with pytest.raises(error) as told:
            kube.get("Pod", name, namespace="o")
        assert "t0p-s3cret" not in str(told.value)
    with pytest.raises(Rejected, match="no kind 'Nonsense'"):
        kube.list("Nonsense")
    kube.close()


def test_a_platform_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    """A closed port is an answer of nobody."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    kube = Kube(target(tmp_path, port))
    with pytest.raises(Unreachable):
        kube.list("Pod")
    with pytest.raises(Unreachable):
        kube.exec("p", ["true"], namespace="o", timeout_s=1)
    kube.close()


def test_a_kubeconfig_or_cloud_that_cannot_be_used_is_bad_input(tmp_path: Path) -> None:
    """The file and what it lacks are named, before anything is contacted."""
    broken = Target("t", Kubernetes((tmp_path / "none",)), Cloud(tmp_path / "none.yaml", "lab"))
    with pytest.raises(BadInput, match="kubeconfig"):
        Kube(broken)
    with pytest.raises(BadInput, match=r"clouds\.yaml"):
        OpenStack(broken)
    (tmp_path / "clouds.yaml").write_text("clouds: {other: {auth: {auth_url: http://x}}}")
    with pytest.raises(BadInput, match="'lab'"):
        OpenStack(target(tmp_path, 1))


def test_scripts_run_in_a_pod_of_our_own_first_then_in_api_pods() -> None:
    """Pods that nobody made come last: they may be anything."""
    from dataclasses import replace  # noqa: PLC0415

    from seatrial.model.inventory import Component, Container, Role  # noqa: PLC0415

    def filled(component: Component) -> Component:
        ready = (Container("log", True, 0), Container("main", True, 0))
        return replace(component, replicas=tuple(replace(r, containers=ready) for r in component.replicas))

    full = eyes.inventory()
    agent = Component("harness", "agent", "Pod", "openstack", Role.OTHER, 1, (eyes.replica("agent", "node-0"),), ())
    spy = Component("glance", "spy", "Pod", "openstack", Role.OTHER, 1, (eyes.replica("spy", "node-0"),), ())
    everyone = replace(full, components=tuple(map(filled, (spy, *full.components, agent))))
    order = [place.pod for place in in_pod.places(everyone)]
    assert order[0] == "agent"
    assert order[2] == eyes.KEYSTONE[0]
    assert order[-1] == "spy"
    assert in_pod.places(everyone)[2].container == "main"
