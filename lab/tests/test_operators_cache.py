"""What operators believe of the world between two looks: never older than the newest thing that they were told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from seatrial_lab.operators.common.cache import TRUSTED_FOR_S, Cache
from seatrial_lab.operators.common.kube import Access, Kube
from seatrial_lab.operators.common.resources import SECRET, SERVICE, Json


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def thing(name: str, version: int, *, uid: str = "", labels: dict[str, str] | None = None) -> Json:
    meta = {"name": name, "namespace": "cloud", "uid": uid or f"uid-of-{name}", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {**meta, "labels": labels or {}}, "data": {}}


def cache_of_secrets(clock: Clock | None = None) -> Cache:
    return Cache([SECRET], ["cloud"], clock or Clock())


def histories() -> st.SearchStrategy[list[tuple[int, bool]]]:
    """What happens to one name: lives after each other, each with some versions; (version, whether it is the end)."""
    return st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=5).map(_numbered)


def _numbered(lives: list[tuple[int, bool]]) -> list[tuple[int, bool]]:
    told, version = [], 0
    for number, (writes, ends) in enumerate(lives):
        for write in range(writes):
            version += 1
            told.append((version, write == writes - 1 and (ends or number < len(lives) - 1)))
    return told


@given(histories(), st.randoms(use_true_random=False))
def test_whatever_way_news_comes_the_newest_is_believed(history: list[tuple[int, bool]], chance: Any) -> None:
    """Messages that are late, doubled or out of order change nothing about what is known in the end."""
    life, told = 0, []
    for version, ends in history:
        told.append((thing("it", version, uid=f"life-{life}"), ends))
        life += ends
    shuffled = told + chance.sample(told, chance.randint(0, len(told)))
    chance.shuffle(shuffled)
    cache = cache_of_secrets()
    for live, gone in shuffled:
        (cache.drop if gone else cache.keep)(SECRET, live)
    last, ended = told[-1]
    assert cache.get(SECRET, "cloud", "it") == (None if ended else last)


def test_a_reader_may_change_what_it_got() -> None:
    """The next reader sees the object as it is."""
    cache = cache_of_secrets()
    cache.keep(SECRET, thing("it", 1))
    first = cache.get(SECRET, "cloud", "it")
    assert first is not None
    first["data"]["x"] = "changed"
    assert cache.get(SECRET, "cloud", "it") == thing("it", 1)


def test_nothing_is_believed_for_ever() -> None:
    """Of what was deleted while a watch was broken nobody ever tells."""
    clock = Clock()
    cache = cache_of_secrets(clock)
    cache.keep_all(SECRET, "cloud", [thing("it", 1)], "1")
    clock.now = TRUSTED_FOR_S + 1
    assert cache.get(SECRET, "cloud", "it") is None
    assert cache.list(SECRET, "cloud", {}) is None
    cache.keep_all(SECRET, "cloud", [], "2")
    assert cache.list(SECRET, "cloud", {}) == []


def test_a_listing_says_what_is_no_more_but_not_of_what_came_after_it() -> None:
    """An object made while the listing was on its way is not lost."""
    cache = cache_of_secrets()
    cache.keep(SECRET, thing("old", 1))
    cache.keep(SECRET, thing("new", 9))
    cache.keep_all(SECRET, "cloud", [thing("listed", 5, labels={"of": "nova"})], "6")
    assert [live["metadata"]["name"] for live in cache.list(SECRET, "cloud", {}) or []] == ["listed", "new"]
    assert [live["metadata"]["name"] for live in cache.list(SECRET, "cloud", {"of": "nova"}) or []] == ["listed"]


@pytest.mark.parametrize(("kind", "namespace"), [(SERVICE, "cloud"), (SECRET, "elsewhere"), (SECRET, None)])
def test_what_is_not_watched_is_never_believed(kind: Any, namespace: str | None) -> None:
    """Nobody would tell of its changes."""
    cache = cache_of_secrets()
    live = thing("it", 1)
    live["metadata"]["namespace"] = namespace
    cache.keep(kind, live)
    assert cache.get(kind, namespace, "it") is None
    assert not cache.covers(kind, namespace)


def test_a_client_asks_once_and_then_believes_its_watches() -> None:
    """Reading costs no request, until something was deleted."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(f"{request.method} {request.path}")
        if request.path.endswith("/secrets"):
            return web.json_response({"metadata": {"resourceVersion": "7"}, "items": [thing("it", 5)]})
        return web.json_response(thing("it", 5))

    async def main() -> None:
        app = web.Application()
        app.router.add_route("*", "/{all:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        [(host, port)] = [address[:2] for address in runner.addresses]
        async with Kube("a", lambda: Access(f"http://{host}:{port}"), cache_of_secrets()) as kube:
            for _ in range(3):
                assert await kube.get(SECRET, "it", namespace="cloud") == thing("it", 5)
                assert await kube.list(SECRET, namespace="cloud") == [thing("it", 5)]
                assert await kube.list(SECRET, namespace="cloud", labels={"of": "nova"}) == []
            await kube.delete(SECRET, "it", namespace="cloud")
            await kube.list(SECRET, namespace="cloud")
        await runner.cleanup()

    asyncio.run(main())
    root = "/api/v1/namespaces/cloud/secrets"
    assert asked == [f"GET {root}/it", f"GET {root}", f"DELETE {root}/it", f"GET {root}"]
