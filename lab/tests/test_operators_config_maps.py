"""A ConfigMap is its operator's alone: what somebody else writes into its data goes, what an operator wrote stays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial_lab.operators.common.kube import Access, Kube
from seatrial_lab.operators.common.reconciler import Controller, Reconciler
from seatrial_lab.operators.common.resources import CONFIG_MAP, SECRET, Json, Resource
from seatrial_lab.operators.infra.rabbitmq import RABBITMQ_CONTROLLER
from seatrial_lab.operators.mariadb.galera import CONTROLLER as GALERA_CONTROLLER

APPLY = "application/apply-patch+yaml"
DATA = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(["1", "2"]), max_size=4)


class OneObject:
    """An API that keeps one object, and of each key of its data who put it there by server-side apply."""

    def __init__(self, live: Json) -> None:
        self.live = live
        self.applied: set[str] = set()
        self.writes = 0

    async def answer(self, request: web.Request) -> web.Response:
        """Read it, apply to it, or merge into it, as the real one does."""
        if request.method == "PATCH":
            body = json.loads(await request.text())
            self.writes += 1
            data: dict[str, Any] = dict(self.live.get("data") or {})
            told = body.get("data") or {}
            if request.content_type == APPLY:
                data = {key: value for key, value in data.items() if key not in self.applied - set(told)}
                self.applied = set(told)
                self.live["metadata"]["annotations"] = body["metadata"]["annotations"]
            data.update(told)
            self.live["data"] = {key: value for key, value in data.items() if value is not None}
        return web.json_response(self.live)


def thing(kind: Resource, data: dict[str, str]) -> Json:
    meta = {"name": "it", "namespace": "cloud", "uid": "u", "resourceVersion": "1"}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "data": data}


def with_api(api: OneObject, act: Callable[[Kube], Awaitable[None]]) -> None:
    """Do something as an operator that this API serves."""

    async def main() -> None:
        app = web.Application()
        app.router.add_route("*", "/{all:.*}", api.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        [(host, port)] = [address[:2] for address in runner.addresses]
        async with Kube("operator", lambda: Access(f"http://{host}:{port}")) as kube:
            await act(kube)
        await runner.cleanup()

    asyncio.run(main())


def wanted(kind: Resource, data: dict[str, str]) -> Json:
    return {**thing(kind, data), "metadata": {"name": "it", "namespace": "cloud"}}


@settings(max_examples=20)
@given(DATA, DATA)
def test_its_data_becomes_what_the_operator_says_and_nothing_else(found: dict[str, str], said: dict[str, str]) -> None:
    """Whatever stood there, after one round it is the manifest's, and a second round writes nothing."""
    api = OneObject(thing(CONFIG_MAP, dict(found)))

    async def act(kube: Kube) -> None:
        await kube.apply(wanted(CONFIG_MAP, said))
        assert api.live["data"] == said
        before = api.writes
        await kube.apply(wanted(CONFIG_MAP, said))
        assert api.writes == before

    with_api(api, act)


def test_a_foreign_key_goes_though_all_else_is_as_it_was() -> None:
    """Nothing that the manifest says has changed: only what it does not say."""
    api = OneObject(thing(CONFIG_MAP, {"galera.cnf": "[mysqld]"}))

    async def act(kube: Kube) -> None:
        await kube.apply(wanted(CONFIG_MAP, {"galera.cnf": "[mysqld]"}))
        api.live["data"]["foreign"] = "x"
        live = await kube.apply(wanted(CONFIG_MAP, {"galera.cnf": "[mysqld]"}))
        assert live["data"] == api.live["data"] == {"galera.cnf": "[mysqld]"}

    with_api(api, act)


def test_keys_of_a_secret_are_not_taken_away() -> None:
    """Keys of tokens and passwords are added by several; only ConfigMaps are one operator's whole."""
    api = OneObject(thing(SECRET, {"theirs": "eA=="}))

    async def act(kube: Kube) -> None:
        await kube.apply(wanted(SECRET, {"mine": "eQ=="}))

    with_api(api, act)
    assert api.live["data"] == {"theirs": "eA==", "mine": "eQ=="}


@pytest.mark.parametrize("controller", [GALERA_CONTROLLER, RABBITMQ_CONTROLLER], ids=lambda c: c.resource.kind)
def test_a_changed_config_map_wakes_its_owner(controller: Controller) -> None:
    """The operators of databases and brokers hear of it at once, not at their next look."""
    owner = {"apiVersion": controller.resource.api_version, "kind": controller.resource.kind, "name": "openstack"}
    changed = thing(CONFIG_MAP, {"foreign": "x"})
    changed["metadata"]["ownerReferences"] = [{**owner, "uid": "o", "controller": True}]
    woken: list[tuple[str, str]] = []

    class Listening(Reconciler):
        def _wake(self, controller: Controller, key: tuple[str, str]) -> None:
            woken.append(key)

    Listening(Kube("operator", lambda: Access("http://nowhere")), [controller]).hear(CONFIG_MAP, changed)
    assert woken == [("cloud", "openstack")]
