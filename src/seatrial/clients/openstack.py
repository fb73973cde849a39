"""The cloud's own APIs, seen from outside as its users see them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import keystoneauth1.exceptions as keystone_errors
import openstack as sdk
import openstack.exceptions as sdk_errors
import requests

from seatrial.clients.cloud import ANSWER_S, region
from seatrial.clients.unanswered import why
from seatrial.model.errors import NotPermitted, Unreachable
from seatrial.model.known import cut
from seatrial.model.target import Secret, Target

_T = TypeVar("_T")
_EXCERPT = 300


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What an HTTP server said, shortened."""

    status: int
    body_excerpt: str


class OpenStack:
    """One cloud as an administrator of it sees it; logs in when first used."""

    def __init__(self, target: Target) -> None:
        self._where = str(target.cloud)
        self._region = region(target.cloud)
        self._lock = threading.Lock()
        self._connected: Any = None

    def close(self) -> None:
        """Drop all connections."""
        with self._lock:
            if self._connected is not None:
                self._connected.close()
                self._connected = None

    @property
    def public_url(self) -> str:
        """Return the address of Keystone that users are given (``auth_url``), without a trailing slash."""
        return str(self._region.get_auth_args()["auth_url"]).rstrip("/")

    @property
    def region(self) -> str | None:
        """Return the region that the target names, if it names one."""
        name = self._region.get_region_name()
        return str(name) if name else None

    def token(self) -> Secret:
        """Return a token of the administrator's, fresh enough to use."""

        def ask() -> str:
            return str(self._connection().session.get_token())

        return Secret(self._call(ask))

    def catalog(self) -> list[dict[str, Any]]:
        """Return the catalogue as the administrator's token carries it."""
        body = self._identity("/auth/catalog")
        return [dict(entry) for entry in body["catalog"]]

    def services(self) -> list[dict[str, Any]]:
        """Return the registered services."""
        return [dict(entry) for entry in self._identity("/services")["services"]]

    def endpoints(self) -> list[dict[str, Any]]:
        """Return the registered endpoints."""
        return [dict(entry) for entry in self._identity("/endpoints")["endpoints"]]

    def users(self) -> list[dict[str, Any]]:
        """Return all users of the cloud's own identity backend."""
        return [dict(entry) for entry in self._identity("/users")["users"]]

    def projects(self) -> dict[str, str]:
        """Return the names of all projects by their ids."""
        return {str(entry["id"]): str(entry["name"]) for entry in self._identity("/projects")["projects"]}

    def delete_project(self, identity: str) -> None:
        """Delete a project by its id; absent is fine."""
        url = f"{self.identity_url}/projects/{identity}"
        answer = self._call(
            lambda: self._connection().session.delete(url, raise_exc=False, timeout=ANSWER_S, connect_retries=0)
        )
        if answer.status_code not in (requests.codes.no_content, requests.codes.not_found):
            raise Unreachable(f"{self._where} answered {answer.status_code} to the deletion of project {identity}")

    @property
    def identity_url(self) -> str:
        """Return the root of Keystone's version 3 API as users reach it, without a trailing slash."""
        url = self.public_url
        return url if url.endswith("/v3") else f"{url}/v3"

    @property
    def trust(self) -> bool | str:
        """Return how the cloud's certificates are verified: a file of authorities, the system's (True), or not."""
        verify, _ = self._region.get_requests_verify_args()
        return str(verify) if isinstance(verify, str) else bool(verify)

    def get(self, url: str, *, token: bool, timeout_s: float = ANSWER_S) -> HttpAnswer:
        """GET a URL with or without the administrator's token; any status is an answer."""
        response = self._call(
            lambda: self._connection().session.get(
                url, authenticated=token, raise_exc=False, connect_retries=0, timeout=timeout_s, redirect=False
            )
        )
        return HttpAnswer(int(response.status_code), cut(str(response.text), _EXCERPT))

    def _identity(self, path: str) -> dict[str, Any]:
        root = self.identity_url
        # One more try mends a kept connection that the server has closed while it was idle.
        response = self._call(lambda: self._connection().session.get(root + path, timeout=ANSWER_S, connect_retries=1))
        body = response.json()
        if not isinstance(body, dict):
            raise Unreachable(f"{self._where}: the answer to {path} is not an object")
        return body

    def _connection(self) -> Any:
        with self._lock:
            if self._connected is None:
                self._connected = sdk.connection.Connection(config=self._region)
            return self._connected

    def _call(self, ask: Callable[[], _T]) -> _T:
        try:
            return ask()
        except (keystone_errors.Unauthorized, keystone_errors.Forbidden) as problem:
            raise NotPermitted(f"{self._where} does not accept the credentials: {_short(problem)}") from problem
        except (keystone_errors.ConnectFailure, requests.ConnectionError, requests.Timeout) as problem:
            raise Unreachable(f"{self.public_url} does not answer: {why(problem)} ({self._where})") from problem
        except (keystone_errors.ClientException, sdk_errors.SDKException, requests.RequestException) as problem:
            raise Unreachable(f"{self._where} did not answer: {_short(problem)}") from problem


def _short(problem: Exception) -> str:
    return f"{type(problem).__name__}: {cut(' '.join(str(problem).split()), 300)}"
