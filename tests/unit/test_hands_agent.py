"""The agent against real sockets of this machine: what it sees of a server that stops, and that it always ends."""

from __future__ import annotations

import http.server
import io
import json
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seatrial.agent import ledger as agent_ledger
from seatrial.traffic.channel import ProcessChannel
from seatrial.traffic.link import Link
from seatrial.traffic.outage import measure
from seatrial.traffic.package import packed


class _Answer(http.server.BaseHTTPRequestHandler):
    """Answers every GET, and every POST with what the server was told to."""

    def do_GET(self) -> None:
        self._say(200)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say(self.server.created)  # type: ignore[attr-defined]

    def _say(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """An HTTP server that can be switched off and on at the same port."""

    allow_reuse_address = True
    created = 201


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), _Answer)
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def configured(url: str, **more: object) -> dict[str, object]:
    return {"max_s": 60, "silence_s": 10, "paths": [{"kind": "http", "name": "http", "url": url}], **more}


def test_a_server_that_goes_away_and_comes_back_is_an_outage_of_that_length(server: Server) -> None:
    """Refused connections end the outage's beginning and end within a few intervals."""
    port = server.server_address[1]
    link = Link(ProcessChannel(), configured(f"http://127.0.0.1:{port}/v3"), name="test")
    try:
        assert link.wait_for_answers(["http"], within_s=20) == []
        started = time.time()
        time.sleep(0.3)
        server.shutdown()
        server.server_close()
        down = time.time()
        time.sleep(0.8)
        again = Server(("127.0.0.1", port), _Answer)
        up = time.time()
        threading.Thread(target=again.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        time.sleep(0.4)
        link.stop()
        measured = measure(link.samples["http"], start=started, end=time.time())
        again.shutdown()
        again.server_close()
    finally:
        link.close()
    assert link.broken is None
    assert len(measured.outages) == 1
    assert measured.longest_s == pytest.approx(up - down, abs=0.35)
    assert measured.blind_s == 0


def test_projects_end_ok_fail_or_unknown_and_the_token_is_never_said(server: Server) -> None:
    """201 is ok; what the server says later decides."""
    project = {
        "kind": "keystone_project",
        "url": f"http://127.0.0.1:{server.server_address[1]}/v3/projects",
        "token": "the-token",
        "prefix": "seatrial-000000-",
        "every_s": 0.05,
    }
    link = Link(ProcessChannel(), {"max_s": 60, "paths": [], "ledgers": [project]}, name="test")
    try:
        _until(lambda: len(link.entries.get("keystone_project", {})) >= 3)
        server.created = 503
        _until(lambda: any(e.outcome == "unknown" for e in link.entries["keystone_project"].values()))
        server.created = 403
        _until(lambda: any(e.outcome == "fail" for e in link.entries["keystone_project"].values()))
        link.stop()
    finally:
        link.close()
    assert link.entries["keystone_project"][1].outcome == "ok"
    assert "the-token" not in repr(link.entries)


def test_the_agent_ends_when_its_input_ends() -> None:
    """Nobody has to kill it."""
    channel = ProcessChannel()
    link = Link(channel, {"max_s": 60, "paths": []}, name="test")
    _until(lambda: link._best_trip < 10)
    link.close()
    assert channel.complaint() == "exit status 0"


def test_the_agent_ends_when_nobody_speaks_to_it() -> None:
    """A harness that was killed or frozen leaves no agent that asks for ever."""
    agent = subprocess.Popen(
        [sys.executable, "-m", "seatrial.agent"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert agent.stdin is not None
    agent.stdin.write(json.dumps({"max_s": 60, "silence_s": 0.5, "paths": []}) + "\n")
    agent.stdin.flush()
    assert agent.wait(10) == 3
    agent.stdin.close()


def test_the_package_is_the_same_for_the_same_code_and_runs_from_a_zip_alone(tmp_path: Path) -> None:
    """A python without anything installed imports it from the blob."""
    blob = packed()
    packed.cache_clear()
    assert packed() == blob
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        assert {"seatrial/agent/__main__.py", "pymysql/__init__.py", "amqp/__init__.py"} <= set(archive.namelist())
    code = "import sys; sys.path[:0] = [sys.argv[1]]; import seatrial.agent.__main__ as m; print(m.__file__)"
    path = tmp_path / "agent.zip"
    path.write_bytes(blob)
    argv = [sys.executable, "-I", "-S", "-c", code, str(path)]
    ran = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert str(path) in ran.stdout


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(201, "ok"), (400, "fail"), (401, "fail"), (409, "fail"), (408, "unknown"), (502, "unknown")],
)
def test_a_refusal_is_certain_and_a_servers_error_is_not(status: int, outcome: str) -> None:
    """5xx may come from a proxy in front of a server that did it."""
    assert agent_ledger.http_outcome(status)[0] == outcome


def _until(so: Callable[[], bool], within_s: float = 20) -> None:
    ends = time.monotonic() + within_s
    while not so():
        assert time.monotonic() < ends
        time.sleep(0.02)
