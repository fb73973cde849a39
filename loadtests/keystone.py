"""People and services at Keystone's public endpoint: they log in, have tokens validated, make and delete projects.

By hand: ``OS_CLOUD=<entry of clouds.yaml> locust -f loadtests/keystone.py --headless -u 4 -t 60s``. The cloud's address
and credentials come from that clouds.yaml (``OS_CLIENT_CONFIG_FILE`` names it where it is not in a usual place), in any
of the ways to log in that keystoneauth1 knows. What is created is named ``seatrial-...`` and deleted again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import Any

import keystoneauth1.exceptions as keystone_errors
from keystoneauth1.session import Session
from locust import HttpUser, constant_throughput, events, task
from shapes import chosen

from seatrial.load.journal import PREFIX, attach
from seatrial.load.login import the_cloud

_CREATED = 201
_ANSWER_S = 20

CLOUD = the_cloud()
VERIFY, CERT = CLOUD().get_requests_verify_args()
URL = str(CLOUD().get_auth_args()["auth_url"]).rstrip("/").removesuffix("/v3")
NAMES = os.environ.get(PREFIX) or f"seatrial-{secrets.token_hex(3)}-"

Shape = chosen()


@events.init.add_listener
def begin(environment: Any, **_: Any) -> None:
    """Write the figures down."""
    attach(environment)


class Member(HttpUser):
    """One client that does one thing a second: mostly validating, as services do all day."""

    host = URL
    wait_time = constant_throughput(1)

    def on_start(self) -> None:
        """Log in first."""
        self.client.verify, self.client.cert = VERIFY, CERT
        self.account = CLOUD().get_auth()
        # Over this user's own client, so that logging in is measured as everything else is.
        self.session = Session(
            auth=self.account, session=self.client, verify=VERIFY, cert=CERT, timeout=_ANSWER_S, redirect=False
        )
        self.token = ""
        self.log_in()

    @task(2)
    def log_in(self) -> None:
        """Ask for a token in the account's own way: a password costs Keystone a slow hash on purpose."""
        self.account.invalidate()
        # A login that fails is in the figures as the request that failed; the last token may still be good.
        with contextlib.suppress(keystone_errors.ClientException), self.client.rename_request("token issue"):
            self.token = self.session.get_token() or self.token

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
