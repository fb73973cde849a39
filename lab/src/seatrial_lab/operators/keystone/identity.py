"""The Identity API as the operator uses it: services, endpoints and service users, made to be as they should."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

import aiohttp

from seatrial_lab.operators.common.resources import Json

ANSWER_S: Final = 15.0
DOMAIN: Final = "default"
SERVICE_PROJECT: Final = "service"
SERVICE_ROLES: Final = ("admin", "service")
CONFLICT: Final = 409


class IdentityError(Exception):
    """The Identity API refused a request or could not be reached."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Admin:
    """Whom the operator authenticates as, and where."""

    url: str
    user: str
    project: str
    password: str = field(repr=False)


class Identity:
    """A session with a token of the administrator's."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self._url = http, url

    async def call(
        self, method: str, path: str, body: Json | None = None, query: Mapping[str, str] | None = None
    ) -> tuple[Json, Mapping[str, str]]:
        """One request; returns the answer and its headers, or raises IdentityError. No body is ever quoted."""
        try:
            async with self._http.request(method, f"{self._url}/v3/{path}", json=body, params=query) as answer:
                if answer.status >= 400:
                    raise IdentityError(f"{method} /v3/{path}: status {answer.status}", answer.status)
                empty = answer.content_type != "application/json"
                return {} if empty else cast("Json", await answer.json()), answer.headers
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise IdentityError(f"{method} /v3/{path}: {type(problem).__name__}") from problem

    async def find(self, collection: str, **query: str) -> Json | None:
        """The first object of a collection that answers to all filters."""
        answer, _ = await self.call("GET", collection, query=query)
        found: list[Json] = answer[collection]
        return found[0] if found else None

    async def ensure(self, collection: str, wanted: Json, **identity: str) -> Json:
        """Make there be one object with these identifying values, and have it say what is wanted besides."""
        singular = collection.removesuffix("s")
        live = await self.find(collection, **identity)
        if live is None:
            try:
                answer, _ = await self.call("POST", collection, {singular: {**identity, **wanted}})
            except IdentityError as problem:
                live = await self.find(collection, **identity) if problem.status == CONFLICT else None
                if live is None:
                    raise
                return live
            return cast("Json", answer[singular])
        different = {key: value for key, value in wanted.items() if live.get(key) != value}
        if different:
            answer, _ = await self.call("PATCH", f"{collection}/{live['id']}", {singular: different})
            return cast("Json", answer[singular])
        return live

    async def ensure_user(self, name: str, password: str, *, reset: bool) -> Json:
        """A service user with its roles in the project of services; `reset`: set the password of one that exists."""
        project = await self.ensure("projects", {}, name=SERVICE_PROJECT, domain_id=DOMAIN)
        user = await self.find("users", name=name, domain_id=DOMAIN)
        if user is None:
            answer, _ = await self.call(
                "POST",
                "users",
                {"user": {"name": name, "domain_id": DOMAIN, "password": password, "enabled": True}},
            )
            user = cast("Json", answer["user"])
        elif reset or not user.get("enabled"):
            await self.call("PATCH", f"users/{user['id']}", {"user": {"password": password, "enabled": True}})
        for role_name in SERVICE_ROLES:
            role = await self.ensure("roles", {}, name=role_name)
            await self.call("PUT", f"projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
        return user


@asynccontextmanager
async def log_in(admin: Admin) -> AsyncIterator[Identity]:
    """A session for the administrator; IdentityError when Keystone doesn't let it in, or doesn't answer."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_S, connect=5)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        identity = Identity(http, admin.url)
        user: dict[str, Any] = {"name": admin.user, "domain": {"id": DOMAIN}, "password": admin.password}
        scope = {"project": {"name": admin.project, "domain": {"id": DOMAIN}}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}
        _, headers = await identity.call("POST", "auth/tokens", {"auth": auth})
        http.headers["X-Auth-Token"] = headers["X-Subject-Token"]
        yield identity
