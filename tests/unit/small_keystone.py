"""A Keystone in miniature: gives tokens to whom it knows, in three ways to log in, and notes who came and how."""

from __future__ import annotations

import http.server
import json
from datetime import UTC, datetime, timedelta
from typing import Any

PASSWORD = "a-password-that-nobody-may-see"
APPLICATION_SECRET = "an-application-secret-that-nobody-may-see"
TOKEN = "a-token-that-nobody-may-see"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Keystone
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = f"{self.server.url}/v3/"
        version = {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": url}]}
        if self.path.rstrip("/") == "/v3":
            self._say(200, {"version": version})
        else:
            self._say(200, {"token": {}})

    def do_DELETE(self) -> None:
        self._say(204, None)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v3/auth/tokens":
            self._say(201, {"project": {"id": "p1"}})
            return
        identity = asked["auth"]["identity"]
        who, good = _known(identity)
        self.server.logins.append((identity["methods"][0], who))
        ends = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        token = {"methods": identity["methods"], "expires_at": ends, "user": {"id": "u", "name": who}, "catalog": []}
        if good:
            self._say(201, {"token": token})
        else:
            self._say(401, {"error": {"code": 401, "message": "The request you have made requires authentication."}})

    def _say(self, status: int, body: dict[str, Any] | None) -> None:
        said = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("X-Subject-Token", TOKEN)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _known(identity: dict[str, Any]) -> tuple[str, bool]:
    if "password" in identity["methods"]:
        user = identity["password"]["user"]
        return user["name"], user["password"] == PASSWORD
    if "application_credential" in identity["methods"]:
        credential = identity["application_credential"]
        return credential["id"], credential["secret"] == APPLICATION_SECRET
    return "token", identity.get("token", {}).get("id") == TOKEN


class Keystone(http.server.ThreadingHTTPServer):
    """Notes each login as (method, who)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.logins: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        """Return where it is, without the version."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def entry(self, how: str = "password", **more: str) -> dict[str, Any]:
        """Return the entry of a clouds.yaml for one way to log in."""
        auth: dict[str, str] = {"auth_url": f"{self.url}/v3"}
        if how == "password":
            user = {"username": "admin", "password": PASSWORD, "project_name": "admin"}
            return {"auth": {**auth, **user, "user_domain_id": "default", "project_domain_id": "default", **more}}
        if how == "v3applicationcredential":
            credential = {"application_credential_id": "app", "application_credential_secret": APPLICATION_SECRET}
            return {"auth_type": how, "auth": {**auth, **credential, **more}}
        return {"auth_type": "v3token", "auth": {**auth, "token": TOKEN, "project_id": "p", **more}}
