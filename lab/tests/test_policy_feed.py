"""Following a kind: what the agent knows is what the API server said last, however the connection fares."""

from __future__ import annotations

import http.client
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from seatrial_lab.platform.policy import feed as following
from seatrial_lab.platform.policy.feed import Feed
from seatrial_lab.platform.policy.objects import Json, labels_of

END = None


def thing(uid: str, **labels: str) -> Json:
    return {"metadata": {"uid": uid, "name": uid, "labels": labels}}


class Server(ThreadingHTTPServer):
    """Answers lists with `things`, and watches with the events put into `events` (END ends a watch)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.things: list[Json] = []
        self.events: queue.Queue[Json | None] = queue.Queue()
        self.asked: list[str] = []
        self.status = 200
        self.ended = False


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(self.server.status)
        if "watch" not in self.path:
            text = json.dumps({"metadata": {"resourceVersion": "7"}, "items": self.server.things}).encode()
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while (event := self.server.events.get()) is not END:
            text = json.dumps(event).encode() + b"\n"
            self.wfile.write(f"{len(text):x}\r\n".encode() + text + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(following, "PAUSE_S", 0.01)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.ended = True
        server.events.put(END)
        server.shutdown()
        thread.join()


def follow(server: Server, projection: Callable[[Json], Any] = labels_of) -> tuple[Feed, threading.Event]:
    changed = threading.Event()

    def connect() -> tuple[http.client.HTTPConnection, dict[str, str]]:
        if server.ended:
            threading.Event().wait()  # a feed never ends; this one rests
        return http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5), {}

    feed = Feed("/api/v1/things", connect, projection, changed)
    feed.start()
    return feed, changed


def until(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_what_was_listed_then_what_changed(server: Server) -> None:
    server.things = [thing("1", a="x"), thing("2")]
    feed, changed = follow(server)
    until(lambda: feed.objects == {"1": {"a": "x"}, "2": {}} and feed.fresh)
    server.events.put({"type": "MODIFIED", "object": thing("1", a="y")})
    server.events.put({"type": "ADDED", "object": thing("3")})
    server.events.put({"type": "DELETED", "object": thing("2")})
    until(lambda: feed.objects == {"1": {"a": "y"}, "3": {}})
    assert changed.is_set()
    assert "resourceVersion=7" in server.asked[1]


def test_what_says_nothing_new_wakes_nobody(server: Server) -> None:
    server.things = [thing("1", a="x")]
    feed, changed = follow(server)
    until(lambda: len(server.asked) == 2)
    changed.clear()
    server.events.put({"type": "MODIFIED", "object": thing("1", a="x")})
    server.events.put({"type": "ADDED", "object": thing("2")})
    until(lambda: len(feed.objects or {}) == 2)
    assert changed.is_set()


def test_what_the_projection_drops_is_forgotten(server: Server) -> None:
    """A pod that ended is no pod any more."""
    server.things = [thing("1", a="x")]
    feed, _ = follow(server, lambda document: labels_of(document) or None)
    until(lambda: feed.objects == {"1": {"a": "x"}})
    server.events.put({"type": "MODIFIED", "object": thing("1")})
    until(lambda: feed.objects == {})


@pytest.mark.parametrize("event", [END, {"type": "ERROR", "object": {"code": 410, "message": "too old"}}])
def test_after_a_watch_all_is_listed_anew(server: Server, event: Json | None) -> None:
    """What went meanwhile is gone."""
    server.things = [thing("1"), thing("2")]
    feed, _ = follow(server)
    until(lambda: len(feed.objects or {}) == 2)
    server.things = [thing("2")]
    server.events.put(event)
    until(lambda: feed.objects == {"2": {}})


def test_what_was_known_stays_while_the_api_server_refuses(server: Server) -> None:
    """And the feed says that it is deaf."""
    server.things = [thing("1")]
    feed, _ = follow(server)
    until(lambda: feed.fresh)
    server.status = 503
    server.events.put(END)
    until(lambda: not feed.fresh)
    assert feed.objects == {"1": {}}
    server.status = 200
    until(lambda: feed.fresh)
