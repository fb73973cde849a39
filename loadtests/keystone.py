"""People and services at Keystone's public endpoint: they log in, have tokens validated, make and delete projects.

By hand: ``OS_CLOUD=<entry of clouds.yaml> locust -f loadtests/keystone.py --headless -u 4 -t 60s``. The cloud's address
and credentials come from that clouds.yaml (``OS_CLIENT_CONFIG_FILE`` names it where it is not in a usual place). What
is created is named ``seatrial-...`` and deleted again.
"""

from __future__ import annotations

import os
import secrets
from typing import Any

from locust import HttpUser, constant_throughput, events, task
from openstack.config import OpenStackConfig
from shapes import chosen

from seatrial.load.journal import PREFIX, attach

_CREATED = 201
_ANSWER_S = 20


def the_cloud() -> Any:
    """Return the cloud that OS_CLOUD names; ends with one line when clouds.yaml has no such entry."""
    config = OpenStackConfig()
    known, name = sorted(set(config.get_cloud_names()) - {"defaults"}), os.environ.get("OS_CLOUD")
    if name not in known:
        where = config.config_filename or "no clouds.yaml was found; OS_CLIENT_CONFIG_FILE names one"
        raise SystemExit(f"OS_CLOUD: found {name!r}; accepted: {', '.join(known) or 'nothing'} ({where})")
    return config.get_one(cloud=name)


CLOUD = the_cloud()
AUTH = CLOUD.get_auth_args()
VERIFY, _ = CLOUD.get_requests_verify_args()
URL = str(AUTH["auth_url"]).rstrip("/").removesuffix("/v3")
NAMES = os.environ.get(PREFIX) or f"seatrial-{secrets.token_hex(3)}-"

Shape = chosen()


@events.init.add_listener
def begin(environment: Any, **_: Any) -> None:
    """Write the figures down."""
    attach(environment)


def by_password() -> dict[str, Any]:
    """Return the request for a token by name and password, scoped to the cloud's project."""
    domain = AUTH.get("user_domain_name") or AUTH.get("project_domain_name") or "Default"
    user = {"name": AUTH["username"], "password": AUTH["password"], "domain": {"name": domain}}
    project = {"name": AUTH["project_name"], "domain": {"name": AUTH.get("project_domain_name") or domain}}
    identity = {"methods": ["password"], "password": {"user": user}}
    return {"auth": {"identity": identity, "scope": {"project": project}}}


class Member(HttpUser):
    """One client that does one thing a second: mostly validating, as services do all day."""

    host = URL
    wait_time = constant_throughput(1)

    def on_start(self) -> None:
        """Log in first."""
        self.client.verify = VERIFY
        self.token = ""
        self.log_in()

    @task(2)
    def log_in(self) -> None:
        """Ask for a token by password: costs Keystone a slow hash on purpose."""
        answer = self.client.post("/v3/auth/tokens", json=by_password(), name="token issue", timeout=_ANSWER_S)
        if answer.status_code == _CREATED:
            self.token = answer.headers["X-Subject-Token"]

    @task(4)
    def validate(self) -> None:
        """Have a token validated."""
        headers = {**self._headers(), "X-Subject-Token": self.token}
        self.client.get("/v3/auth/tokens", headers=headers, name="token validation", timeout=_ANSWER_S)

    @task(2)
    def churn(self) -> None:
        """Make a project and delete it."""
        name = f"{NAMES}load-{secrets.token_hex(6)}"
        project = {"project": {"name": name, "domain_id": "default", "enabled": False}}
        answer = self.client.post(
            "/v3/projects", json=project, headers=self._headers(), name="project create", timeout=_ANSWER_S
        )
        if answer.status_code == _CREATED:
            identity = answer.json()["project"]["id"]
            self.client.delete(
                f"/v3/projects/{identity}", headers=self._headers(), name="project delete", timeout=_ANSWER_S
            )

    def _headers(self) -> dict[str, str]:
        return {"X-Auth-Token": self.token}
