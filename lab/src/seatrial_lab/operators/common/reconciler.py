"""How every operator of the lab reconciles; this file is all there is to it.

For each custom resource there is one task that brings the world to what the resource asks for, again and again. It is
woken by events of the resource itself, of every object it owns, and of what the controller chose to watch besides; and
it looks again now and then without an event. It never acts on an event's content, only on how things stand then (as
the cache knows, or the API server says): missed, doubled or late events do no harm, and a deleted or changed object is
simply put right by the next round.

An error ends a round, is told in the condition that was being worked on, and is tried again, ever more slowly.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from seatrial_lab.operators.common.conditions import Conditions
from seatrial_lab.operators.common.kube import Kube, KubeError, controller_of, owner_reference
from seatrial_lab.operators.common.resources import Json, Resource

log = logging.getLogger(__name__)

Key = tuple[str, str]  # namespace, name
EVERY: Final = "*"  # as a name: every resource of the controller that is known in that namespace

SETTLE_S: Final = 0.2  # events come in bursts; one round serves them all
RESYNC_S: Final = 60.0
FIRST_RETRY_S: Final = 1.0
LAST_RETRY_S: Final = 20.0


class NotYet(Exception):
    """The round ends here, as what it needs next is not there yet; an event, or the next look, goes on."""

    def __init__(self, condition: str, message: str, *, look_again_s: float = 5.0, severity: str = "Info") -> None:
        super().__init__(message)
        self.condition = condition
        self.look_again_s = look_again_s
        self.severity = severity


@dataclass(slots=True)
class Round:
    """One reconcile of one custom resource: what it asks for, and what this round finds out and says."""

    kube: Kube
    cr: Json
    conditions: Conditions
    status: Json
    look_again_s: float = RESYNC_S
    _echo: Callable[[Json], None] = field(default=lambda _: None, repr=False)

    @property
    def name(self) -> str:
        """The custom resource's name."""
        return str(self.cr["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Where it and all it owns live."""
        return str(self.cr["metadata"]["namespace"])

    @property
    def spec(self) -> Json:
        """What it asks for."""
        return dict(self.cr.get("spec") or {})

    def owned(self, manifest: Json, *, namespace: str | None = None) -> Json:
        """The manifest, in the resource's namespace (or the one said) and owned by the resource."""
        meta = {**manifest["metadata"], "ownerReferences": [owner_reference(self.cr)]}
        meta.setdefault("namespace", namespace or self.namespace)
        return {**manifest, "metadata": meta}

    async def apply(self, manifest: Json) -> Json:
        """Make an owned object be as the manifest says."""
        live = await self.kube.apply(self.owned(manifest))
        self._echo(live)
        return live

    async def apply_all(self, manifests: Iterable[Json]) -> list[Json]:
        """The same for several, in their order."""
        return [await self.apply(manifest) for manifest in manifests]

    async def create(self, manifest: Json) -> Json | None:
        """Create an owned object once; if there is one already it stays as it is, and None comes back."""
        made = await self.kube.create(self.owned(manifest))
        if made is not None:
            self._echo(made)
        return made

    async def get(self, resource: Resource, name: str) -> Json | None:
        """Read an object of the same namespace."""
        return await self.kube.get(resource, name, namespace=self.namespace)

    async def list(self, resource: Resource, labels: Mapping[str, str]) -> list[Json]:
        """Read the objects of the same namespace that have these labels."""
        return await self.kube.list(resource, namespace=self.namespace, labels=labels)

    def is_mine(self, live: Json) -> bool:
        """Whether this resource is the object's owner."""
        owner = controller_of(live)
        return owner is not None and owner["uid"] == self.cr["metadata"]["uid"]

    async def prune(self, resource: Resource, keep: Collection[str]) -> None:
        """Delete the owned objects of a kind whose names are not among these."""
        for live in await self.list(resource, {}):
            meta = live["metadata"]
            if self.is_mine(live) and meta["name"] not in keep:
                await self.kube.delete(resource, meta["name"], namespace=self.namespace, uid=meta["uid"])

    def look_again(self, seconds: float) -> None:
        """Ask for the next round no later than this."""
        self.look_again_s = min(self.look_again_s, seconds)


@dataclass(frozen=True, slots=True)
class Watch:
    """A kind of object whose events wake resources that do not own it; `wakes` tells which."""

    resource: Resource
    wakes: Callable[[Json], Iterable[Key]]


def everyone(other: Json) -> Iterable[Key]:
    """What wakes all resources of a controller that are in the other object's namespace."""
    yield other["metadata"]["namespace"], EVERY


@dataclass(frozen=True, slots=True)
class Controller:
    """One kind of custom resource, and how it is served."""

    resource: Resource
    reconcile: Callable[[Round], Awaitable[None]]
    conditions: tuple[str, ...]
    owns: tuple[Resource, ...] = ()
    watches: tuple[Watch, ...] = ()


def kinds_of(controllers: Iterable[Controller]) -> list[Resource]:
    """Every kind of object whose events matter to any of these."""
    kinds = {kind for c in controllers for kind in (c.resource, *c.owns, *(watch.resource for watch in c.watches))}
    return sorted(kinds, key=lambda kind: (kind.group, kind.plural))


class Reconciler:
    """Runs the controllers of one operator: turns events into rounds."""

    def __init__(self, kube: Kube, controllers: Iterable[Controller]) -> None:
        self._kube = kube
        self._controllers = tuple(controllers)
        self._wakers: dict[tuple[str, Key], asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # uid -> resourceVersion of our own last write, and the controller whose it was: to it the event tells nothing
        self._echoes: dict[str, tuple[str, Controller]] = {}

    def hear(self, kind: Resource, body: Json, *, gone: bool = False) -> None:
        """Take note of an event: wake whom it concerns."""
        meta = body["metadata"]
        version, writer = self._echoes.get(meta["uid"], ("", None))
        if gone:
            self._echoes.pop(meta["uid"], None)
        for controller in self._controllers:
            own = controller is writer and version == meta["resourceVersion"]
            if own and not gone and all(watch.resource != kind for watch in controller.watches):
                continue  # but to another of its resources, which watches such objects, it is news
            for key in _woken(controller, kind, body):
                self._wake(controller, key)

    async def close(self) -> None:
        """Stop all rounds; what is deployed is none of their business any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wake(self, controller: Controller, key: Key) -> None:
        if key[1] == EVERY:
            for (kind, known), each in self._wakers.items():
                if kind == controller.resource.kind and known[0] == key[0]:
                    each.set()
            return
        waker = self._wakers.get((controller.resource.kind, key))
        if waker is None:
            waker = self._wakers[controller.resource.kind, key] = asyncio.Event()
            task = asyncio.create_task(self._tend(controller, key, waker), name=f"{controller.resource.kind} {key[1]}")
            self._tasks.add(task)
            task.add_done_callback(lambda ended: self._ended(ended, controller, key))
        waker.set()

    def _ended(self, task: asyncio.Task[None], controller: Controller, key: Key) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.critical(
                "%s %s is tended no more until it is heard of again",
                *task.get_name().split(),
                exc_info=task.exception(),
            )
            self._wakers.pop((controller.resource.kind, key), None)

    async def _tend(self, controller: Controller, key: Key, waker: asyncio.Event) -> None:
        """One round after another for one custom resource, until it is gone."""
        pause, failures = 0.0, 0
        while True:
            with contextlib.suppress(TimeoutError):  # then it is time to look again without an event
                await asyncio.wait_for(waker.wait(), timeout=pause or None)
            await asyncio.sleep(SETTLE_S)
            waker.clear()
            next_look = await self._round(controller, key, again=failures > 0)
            if next_look is None and waker.is_set():
                continue  # gone, but something of that name was heard of since
            if next_look is None:
                self._wakers.pop((controller.resource.kind, key), None)
                return
            failures = failures + 1 if next_look == 0 else 0
            pause = min(FIRST_RETRY_S * 2 ** (failures - 1), LAST_RETRY_S) if failures else next_look
            if failures:
                await asyncio.sleep(FIRST_RETRY_S)  # not even events hurry what keeps failing more than this

    async def _round(self, controller: Controller, key: Key, *, again: bool) -> float | None:
        """One round; returns when to look again, 0 after an error, None when there is nothing to tend any more.

        `again` says that the round before failed too: what may be a moment's trouble of the API is not told at once.
        """
        namespace, name = key
        try:
            cr = await self._kube.get(controller.resource, name, namespace=namespace)
        except KubeError as unread:
            log.warning("%s %s: %s", controller.resource.kind, name, unread)
            return 0
        if cr is None or cr["metadata"].get("deletionTimestamp"):
            return None
        before = cr.get("status") or {}
        conditions = Conditions(controller.conditions, before.get("conditions") or ())
        status = {k: v for k, v in before.items() if k not in ("conditions", "observedGeneration")}
        this = Round(self._kube, cr, conditions, status, _echo=lambda live: self._remember(controller, live))
        problem = await self._attempt(controller, this)
        if isinstance(problem, KubeError) and problem.passing and not again:
            return 0
        if problem is not None:
            conditions.failed(conditions.first_open(), f"{type(problem).__name__}: {problem}")
        try:
            await self._report(controller, this)
        except KubeError as unwritten:
            log.warning("%s %s: its status could not be written: %s", controller.resource.kind, name, unwritten)
            return 0
        return this.look_again_s if problem is None else 0

    async def _attempt(self, controller: Controller, this: Round) -> Exception | None:
        """Reconcile; returns what went wrong, if anything."""
        try:
            if not (this.cr.get("status") or {}).get("conditions"):
                await self._report(controller, this)
            await controller.reconcile(this)
        except NotYet as wait:
            _say(this.conditions, wait)
            this.look_again(wait.look_again_s)
        # The one boundary where any error is caught: a mistake in one resource must not stop the others from being
        # tended, and must be seen where people look, in the resource's own condition.
        except Exception as problem:
            unexpected = not isinstance(problem, KubeError)
            log.warning("%s %s: %s", controller.resource.kind, this.name, problem, exc_info=unexpected)
            return problem
        return None

    async def _report(self, controller: Controller, this: Round) -> None:
        """Write the status, if this round changes it."""
        meta = this.cr["metadata"]
        status = {
            **{key: value for key, value in this.status.items() if value not in ({}, [], None)},
            "conditions": this.conditions.listed(),
            "observedGeneration": meta["generation"],
        }
        if status == this.cr.get("status"):
            return
        live = await self._kube.apply_status(
            controller.resource,
            {
                "apiVersion": controller.resource.api_version,
                "kind": controller.resource.kind,
                "metadata": {"name": this.name, "namespace": this.namespace},
                "status": status,
            },
        )
        this.cr["status"] = live.get("status")
        self._remember(controller, live)

    def _remember(self, controller: Controller, live: Json) -> None:
        self._echoes[live["metadata"]["uid"]] = live["metadata"]["resourceVersion"], controller


def _say(conditions: Conditions, wait: NotYet) -> None:
    if wait.severity == "Info":
        conditions.waiting(wait.condition, str(wait))
    else:
        conditions.failed(wait.condition, str(wait), severity=wait.severity)


def _woken(controller: Controller, kind: Resource, body: Json) -> Iterable[Key]:
    """Which resources of a controller an event concerns."""
    namespace, name = body["metadata"].get("namespace", ""), body["metadata"]["name"]
    if kind == controller.resource:
        yield namespace, name
    owner = controller_of(body)
    if kind in controller.owns and owner is not None and owner["kind"] == controller.resource.kind:
        yield namespace, owner["name"]
    for watch in controller.watches:
        if watch.resource == kind:
            yield from watch.wakes(body)
