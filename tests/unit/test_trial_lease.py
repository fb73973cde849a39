"""`seatrial status` and `seatrial stop`, through the real client, on a platform that keeps a Lease as others do."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from lease_platform import Platform
from test_engine_preflight import target_file

from seatrial.clients.kube import Kube, Rejected
from seatrial.engine.lease import Lease
from seatrial.entry.cli import main
from seatrial.entry.exit_status import Exit
from seatrial.entry.target import load_target

LEASES = "/apis/coordination.k8s.io/v1/namespaces/openstack/leases"
pytestmark = pytest.mark.filterwarnings("ignore:Support for InfluxDB")  # openstacksdk, about its own future


class Served(http.server.ThreadingHTTPServer):
    """Leases of one namespace, over HTTP."""

    def __init__(self) -> None:
        self.platform = Platform()
        super().__init__(("127.0.0.1", 0), Requests)


class Requests(http.server.BaseHTTPRequestHandler):
    """Speaks as much of Kubernetes' API as a Lease needs."""

    server: Served

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body: dict[str, Any] = json.loads(self.rfile.read(length)) if length else {}
        name = self.path.removeprefix(LEASES).strip("/")
        assert self.path.startswith(LEASES)
        platform = self.server.platform
        try:
            done = {
                "GET": lambda: platform.get("Lease", name, namespace="openstack"),
                "POST": lambda: platform.create(body),
                "PUT": lambda: platform.replace(body),
                "PATCH": lambda: platform.patch("Lease", name, body, namespace="openstack"),
                "DELETE": lambda: platform.delete("Lease", name, namespace="openstack") or {"status": "Success"},
            }[self.command]()
            status, said = (404, {"message": "not found"}) if done is None else (200, done)
        except Rejected as refused:
            status, said = refused.status, {"message": str(refused)}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield web
        web.shutdown()


@pytest.fixture
def target(tmp_path: Path, served: Served) -> Path:
    return target_file(tmp_path, served.server_address[1])


class Trial:
    """A trial that is going on, and ends when it is asked to."""

    def __init__(self, target: Path, *, whole: bool = True) -> None:
        self._whole = whole
        self._over: list[threading.Thread] = []
        self.lease = Lease(
            Kube(load_target(target)),
            "openstack",
            run="run-1",
            suite="resilience",
            still_open=lambda: ["delete_pod of pod/openstack/a (i-1)"],
            ask=lambda _: self._end(),
        )
        self.lease.acquire()

    def _end(self) -> None:
        ending = threading.Thread(target=lambda: self.lease.release(whole=self._whole))
        self._over.append(ending)
        ending.start()


def test_status_says_that_nobody_has_it(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And stopping nothing is no failure."""
    assert main(["status", "--target", str(target)]) == Exit.CONFORMS
    assert main(["stop", "--target", str(target)]) == Exit.CONFORMS
    assert capsys.readouterr().out.count("no trial is going on") == 2
    assert main(["status", "--json", "--target", str(target)]) == Exit.CONFORMS
    assert json.loads(capsys.readouterr().out) == {"held": False}


def test_status_says_whose_it_is_and_what_is_open(target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For a person, and for a program."""
    trial = Trial(target)
    assert main(["status", "--target", str(target)]) == Exit.CONFORMS
    said = capsys.readouterr().out
    assert "a trial is going on: " in said
    assert "run run-1 (suite resilience), since " in " ".join(said.split())
    assert "open: delete_pod of pod/openstack/a (i-1)" in said
    assert main(["status", "--json", "--target", str(target)]) == Exit.CONFORMS
    found = json.loads(capsys.readouterr().out)
    assert (found["held"], found["run"], found["left_behind"]) == (True, "run-1", False)
    trial.lease.release(whole=True)


def test_stop_ends_the_trial_and_waits_until_it_has_given_everything_back(
    target: Path, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    """The holder hears it at its next look."""
    Trial(target)
    assert main(["stop", "--target", str(target)]) == Exit.CONFORMS
    assert "it has ended, and everything was taken back" in capsys.readouterr().out
    assert served.platform.objects == {}


def test_stop_says_what_is_still_open_when_something_was_left_behind(
    target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the run whose undo comes next, and the status for it."""
    Trial(target, whole=False)
    assert main(["stop", "--json", "--target", str(target)]) == Exit.NOT_RESTORED
    found = json.loads(capsys.readouterr().out)
    assert found["open"] == ["delete_pod of pod/openstack/a (i-1)"]
    assert "`seatrial undo` of run-1" in found["told"]


def test_stop_of_a_trial_that_has_died_offers_its_undo_at_once(
    target: Path, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is nobody to ask."""
    trial = Trial(target)
    lease = cast("dict[str, Any]", served.platform.objects["Lease", "openstack", "seatrial"])
    trial.lease._over.set()  # as a kill ends it: without a word
    cast("threading.Thread", trial.lease._thread).join(timeout=30)
    notes = lease["metadata"]["annotations"]
    notes["seatrial/process"] = " ".join([*notes["seatrial/process"].split()[:3], "1"])
    assert main(["stop", "--target", str(target)]) == Exit.NOT_RESTORED
    said = " ".join(capsys.readouterr().out.split())
    assert "`seatrial undo` of run-1" in said
    assert "seatrial/stop" not in served.platform.objects["Lease", "openstack", "seatrial"]["metadata"]["annotations"]
