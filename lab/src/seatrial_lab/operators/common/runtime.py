"""How an operator's process runs: kopf's settings, where it watches, its health port, its end."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import kopf

from seatrial_lab.operators.common.cache import Cache
from seatrial_lab.operators.common.kube import Access, Kube, KubeError
from seatrial_lab.operators.common.reconciler import Controller, Reconciler, kinds_of
from seatrial_lab.operators.common.resources import Resource

log = logging.getLogger(__name__)

HEALTH_PORT: Final = 8081
WATCH_NAMESPACES: Final = "WATCH_NAMESPACES"


def serve(name: str, controllers: Iterable[Controller]) -> None:
    """Run an operator until it is told to stop (SIGTERM); `name` is its field manager in all it writes.

    It watches the namespaces in the environment variable WATCH_NAMESPACES (comma-separated; default `openstack`).
    /healthz answers on port 8081 (HEALTH_PORT changes it, 0 switches it off).
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s %(message)s")
    for chatty in ("kopf", "aiohttp", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    registry = kopf.OperatorRegistry()
    _add_lifecycle(registry, name, tuple(controllers))
    port = int(os.environ.get("HEALTH_PORT", HEALTH_PORT))
    kopf.run(
        registry=registry,
        settings=_settings(),
        standalone=True,
        identity=name,  # without one kopf looks for the name of its user, which a container need not have
        namespaces=_namespaces(),
        liveness_endpoint=f"http://0.0.0.0:{port}/healthz" if port else None,
    )


def _namespaces() -> list[str]:
    return [part.strip() for part in os.environ.get(WATCH_NAMESPACES, "openstack").split(",")]


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    # What exists is known beforehand: no right to list namespaces and CRDs is needed.
    settings.scanning.disabled = True
    # A watch is renewed now and then, so that a connection that died unseen can't leave the operator deaf.
    settings.watching.server_timeout = 240
    settings.watching.client_timeout = 270
    settings.watching.connect_timeout = 5
    settings.networking.error_backoffs = (1, 1, 2, 3, 5)
    settings.queueing.exit_timeout = 1
    settings.process.ultimate_exiting_timeout = 5
    return settings


def _add_lifecycle(registry: kopf.OperatorRegistry, name: str, controllers: tuple[Controller, ...]) -> None:
    cache = Cache(kinds_of(controllers), _namespaces())
    kube = Kube(f"{name}-operator", _access, cache)
    reconciler = Reconciler(kube, controllers)

    def login(**_: Any) -> kopf.ConnectionInfo:
        return _credentials()

    async def begin(**_: Any) -> None:
        await kube.__aenter__()

    async def end(**_: Any) -> None:
        await reconciler.close()
        await kube.__aexit__()

    kopf.on.login(registry=registry)(login)
    kopf.on.startup(registry=registry)(begin)
    kopf.on.cleanup(registry=registry)(end)
    for kind in kinds_of(controllers):
        where = (kind.group, kind.version, kind.plural)
        kopf.on.event(*where, id=f"watch-{kind.plural}", registry=registry)(_handler(cache, reconciler, kind))


def _handler(cache: Cache, reconciler: Reconciler, kind: Resource) -> Callable[..., Awaitable[None]]:
    async def on_event(body: kopf.Body, type: str | None, **_: Any) -> None:  # noqa: A002 - kopf's name for it
        # What a watch begins with comes without a kind; every object gets one here.
        live, gone = {**body, "apiVersion": kind.api_version, "kind": kind.kind}, type == "DELETED"
        if gone:
            cache.drop(kind, live)
        else:
            cache.keep(kind, live)
        reconciler.hear(kind, live, gone=gone)

    return on_event


def _credentials() -> kopf.ConnectionInfo:
    """The pod's service account, or outside a cluster the kubeconfig that KUBECONFIG names."""
    how = {"logger": log, "settings": kopf.OperatorSettings()}
    found = kopf.login_with_service_account(**how) or kopf.login_with_kubeconfig(**how)
    if found is None:
        raise KubeError("neither a service account nor a kubeconfig is to be found")
    return found


def _access() -> Access:
    info = _credentials()
    return Access(info.server, info.as_http_headers(), info.as_ssl_context())
