"""A small asynchronous Kubernetes client: what the operators need, over the HTTP library that kopf brings along."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Self, cast

import aiohttp

from seatrial_lab.operators.common.cache import Cache
from seatrial_lab.operators.common.resources import CONFIG_MAP, POD, Json, Resource, resource_of

NOT_FOUND: Final = 404
CONFLICT: Final = 409
# Tokens of service accounts are rotated on disk; they live much longer than this.
CREDENTIALS_FOR_S: Final = 300
APPLIED: Final = "lab.openstack.org/applied"


class KubeError(Exception):
    """The Kubernetes API refused a request or could not be reached."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def passing(self) -> bool:
        """Whether the same request may well succeed in a moment: nobody answered, was busy, or wrote in between."""
        return self.status in (0, CONFLICT, 429) or self.status >= 500


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What a command in a container said, and its exit status."""

    stdout: str
    stderr: str
    status: int


@dataclass(frozen=True, slots=True)
class Access:
    """Where the Kubernetes API is, and how one shows there who one is."""

    server: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = None


class Kube:
    """The Kubernetes API as one operator sees it; every write names the operator as field manager.

    What the operator watches is read from the cache that its watches feed; all else is asked for.
    """

    def __init__(self, manager: str, access: Callable[[], Access], cache: Cache | None = None) -> None:
        self.manager = manager
        self._access = access
        self._cache = cache or Cache((), ())
        self._session: aiohttp.ClientSession | None = None
        self._server = ""
        self._headers: dict[str, str] = {}
        self._read_at = float("-inf")

    async def __aenter__(self) -> Self:
        access = self._refresh()
        connector = aiohttp.TCPConnector(ssl=True if access.tls is None else access.tls, keepalive_timeout=60)
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30, connect=5))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    def _refresh(self) -> Access:
        access = self._access()
        self._server, self._headers = access.server.rstrip("/"), dict(access.headers)
        self._read_at = time.monotonic()
        return access

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("Kube is used as an async context manager")
        if time.monotonic() - self._read_at > CREDENTIALS_FOR_S:
            self._refresh()
        return self._session

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        kind: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Json:
        """One request; an answer that is no success raises KubeError with its status."""
        session = self._open()
        headers = {**self._headers, "Accept": "application/json"}
        data = None
        if body is not None:
            headers["Content-Type"] = kind
            data = json.dumps(body)
        try:
            async with session.request(method, self._server + path, data=data, headers=headers, params=query) as answer:
                text = await answer.text()
                if answer.status >= 400:
                    raise KubeError(f"{method} {path}: {_reason(text, answer.reason)}", answer.status)
                return cast("Json", json.loads(text))
        except (aiohttp.ClientError, TimeoutError, ValueError) as problem:
            raise KubeError(f"{method} {path}: {type(problem).__name__} {problem}") from problem

    async def get(self, resource: Resource, name: str, *, namespace: str | None = None) -> Json | None:
        """One object, or None when there is none of that name."""
        known = self._cache.get(resource, namespace, name)
        if known is not None:
            return known
        try:
            return self._kept(resource, await self.request("GET", resource.path(namespace, name)))
        except KubeError as problem:
            if problem.status == NOT_FOUND:
                return None
            raise

    async def _list(
        self, resource: Resource, namespace: str | None, labels: Mapping[str, str]
    ) -> tuple[list[Json], str]:
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in labels.items())} if labels else None
        answer = await self.request("GET", resource.path(namespace), query=query)
        items = answer.get("items") or []
        named = [{"apiVersion": resource.api_version, "kind": resource.kind, **item} for item in items]
        return named, str(answer["metadata"]["resourceVersion"])

    async def list(
        self, resource: Resource, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Json]:
        """All objects of a kind, or those with all these labels; each says its kind."""
        labels = labels or {}
        if namespace is None or not self._cache.covers(resource, namespace):
            return (await self._list(resource, namespace, labels))[0]
        known = self._cache.list(resource, namespace, labels)
        if known is None:
            # Without labels: one listing serves all questions to come.
            self._cache.keep_all(resource, namespace, *await self._list(resource, namespace, {}))
            known = self._cache.list(resource, namespace, labels)
        return known or []

    def _kept(self, resource: Resource, live: Json) -> Json:
        self._cache.keep(resource, live)
        return live

    async def create(self, manifest: Json) -> Json | None:
        """Create an object; None when there already is one of that name."""
        resource = resource_of(manifest)
        try:
            live = await self.request(
                "POST",
                resource.path(manifest["metadata"].get("namespace")),
                body=manifest,
                query={"fieldManager": f"{self.manager}-create"},
            )
            return self._kept(resource, live)
        except KubeError as problem:
            if problem.status == CONFLICT:
                return None
            raise

    async def apply(self, manifest: Json) -> Json:
        """Make an object be as the manifest says (server-side apply, forced); what it leaves out is left alone.

        Of a ConfigMap the manifest is all that its data may be, as it is to RHOSO's operators (lib-common,
        `createOrPatchConfigMap`). An object that already is so is only read: a quiet lab costs no writes.
        """
        resource, meta = resource_of(manifest), manifest["metadata"]
        stamp = hash_of(manifest)
        wanted = {**manifest, "metadata": {**meta, "annotations": {**meta.get("annotations", {}), APPLIED: stamp}}}
        live = await self.get(resource, meta["name"], namespace=meta.get("namespace"))
        if live is None or not contains(live, wanted):
            made = await self.request(
                "PATCH",
                resource.path(meta.get("namespace"), meta["name"]),
                body=wanted,
                kind="application/apply-patch+yaml",
                query={"fieldManager": self.manager, "force": "true"},
            )
            live = self._kept(resource, made)
        foreign = _foreign_data(live, wanted) if resource == CONFIG_MAP else []
        if foreign:
            # Applying takes away only what the same manager put there; these are somebody else's.
            nothing = {"data": dict.fromkeys(foreign)}
            live = await self.patch(resource, meta["name"], nothing, namespace=meta.get("namespace"))
        return live

    async def apply_status(self, resource: Resource, manifest: Json) -> Json:
        """State the whole status of an object; parts said before and not now are removed."""
        meta = manifest["metadata"]
        said = await self.request(
            "PATCH",
            resource.path(meta.get("namespace"), meta["name"], "status"),
            body=manifest,
            kind="application/apply-patch+yaml",
            query={"fieldManager": f"{self.manager}-status", "force": "true"},
        )
        return self._kept(resource, said)

    async def patch(self, resource: Resource, name: str, patch: Json, *, namespace: str | None = None) -> Json:
        """A merge patch; with metadata.resourceVersion in it, only if nobody wrote in between."""
        path = resource.path(namespace, name)
        kind = "application/merge-patch+json"
        query = {"fieldManager": f"{self.manager}-patch"}
        return self._kept(resource, await self.request("PATCH", path, body=patch, kind=kind, query=query))

    async def delete(
        self, resource: Resource, name: str, *, namespace: str | None = None, uid: str | None = None
    ) -> None:
        """Delete an object and, in the background, what it owns; with a uid, only that very object. Absent is fine."""
        options: Json = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            await self.request("DELETE", resource.path(namespace, name), body=options)
        except KubeError as problem:
            if problem.status not in (NOT_FOUND, CONFLICT):
                raise
        finally:
            self._cache.forget(resource, namespace, name)

    async def exec(
        self, pod: str, argv: Sequence[str], *, namespace: str, container: str, stdin: str = "", timeout_s: float = 20
    ) -> ExecResult:
        """Run a command in a container. What goes to its stdin is not followed by an end of file: read lines there."""
        query = [("container", container), ("stdout", "1"), ("stderr", "1"), *(("command", part) for part in argv)]
        if stdin:
            query.append(("stdin", "1"))
        url = self._server + POD.path(namespace, pod, "exec")
        session = self._open()
        try:
            async with (
                asyncio.timeout(timeout_s),
                session.ws_connect(
                    url, params=query, headers=self._headers, protocols=("v4.channel.k8s.io",)
                ) as socket,
            ):
                if stdin:
                    await socket.send_bytes(b"\x00" + stdin.encode())
                return await _exec_result(socket)
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise KubeError(f"exec in {pod}: {type(problem).__name__} {problem}") from problem


async def _exec_result(socket: aiohttp.ClientWebSocketResponse) -> ExecResult:
    """Read the channels of an exec (1 out, 2 err, 3 the final status) until they close."""
    channels: dict[int, bytearray] = {1: bytearray(), 2: bytearray(), 3: bytearray()}
    async for message in socket:
        if message.type is aiohttp.WSMsgType.BINARY and message.data and message.data[0] in channels:
            channels[message.data[0]] += message.data[1:]
    if not channels[3]:
        raise KubeError("exec ended without a status")
    end = json.loads(channels[3])
    status = 0
    if end.get("status") != "Success":
        causes = (end.get("details") or {}).get("causes") or []
        codes = [cause.get("message") for cause in causes if cause.get("reason") == "ExitCode"]
        if not codes:
            raise KubeError(f"exec failed: {end.get('message')}")
        status = int(codes[0])
    return ExecResult(channels[1].decode(errors="replace"), channels[2].decode(errors="replace"), status)


def _reason(text: str, fallback: str | None) -> str:
    try:
        answer = json.loads(text)
    except ValueError:
        return fallback or "no reason given"
    return str(answer.get("message") or fallback) if isinstance(answer, dict) else str(fallback)


def contains(live: Any, wanted: Any) -> bool:
    """Whether an object already says everything that a manifest says (the API server adds defaults of its own).

    A selector must say nothing else: with one more label it selects other pods, or none.
    """
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(
            key in live and (live[key] == value if key == "selector" else contains(live[key], value))
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(contains, live, wanted))
    return bool(live == wanted)


def _foreign_data(live: Json, wanted: Json) -> list[str]:
    """The keys of an object's data that its manifest does not know."""
    return sorted(set(live.get("data") or ()) - set(wanted.get("data") or ()))


def hash_of(value: object) -> str:
    """A short fingerprint of plain data, the same in every process."""
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def owner_reference(owner: Json, *, controller: bool = True) -> Json:
    """What an owned object says of its owner, so that it goes when the owner goes."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": controller,
        "blockOwnerDeletion": True,
    }


def controller_of(resource: Json) -> Json | None:
    """The owner that manages an object, if one does."""
    references = resource["metadata"].get("ownerReferences") or ()
    return next((reference for reference in references if reference.get("controller")), None)
