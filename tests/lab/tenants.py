"""Projects of their own on the lab's cloud, with users, networks and servers; whatever is made here goes again."""

from __future__ import annotations

import errno
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import pytest
from openstack.connection import Connection
from openstack.exceptions import NotFoundException
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from tests.conftest import LAB

T = TypeVar("T")
ANSWER_S = 120.0
CONNECT = """
import socket, sys
tried = socket.socket()
tried.settimeout(4)
print(tried.connect_ex((sys.argv[1], int(sys.argv[2]))))
"""
FETCH = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=20).read().decode())"


def until(what: str, condition: Callable[[], T], within_s: float = ANSWER_S) -> T:
    """Ask until the answer is something; fails, with the last answer, when that takes too long."""
    waiting = Retrying(stop=stop_after_delay(within_s), wait=wait_fixed(1), retry=retry_if_result(lambda r: not r))
    try:
        return waiting(condition)
    except RetryError as late:
        raise AssertionError(f"not within {within_s:.0f} s: {what}; last: {late.last_attempt.result()!r}") from None


@dataclass(frozen=True)
class Network:
    """A network of a project, its subnet and the router to the outside, if it has one."""

    id: str
    subnet: str
    router: str | None


class Project:
    """A project with one user, who is a member and no administrator."""

    def __init__(self, admin: Connection, made: ExitStack, name: str) -> None:
        self._admin, self._made = admin, made
        self.name = f"{name}-{secrets.token_hex(3)}"
        password = secrets.token_urlsafe(16)
        self.id: str = admin.identity.create_project(name=self.name, domain_id="default").id
        made.callback(admin.identity.delete_project, self.id)
        made.callback(self._forget_groups)
        user = admin.identity.create_user(
            name=self.name, domain_id="default", password=password, default_project_id=self.id
        )
        made.callback(admin.identity.delete_user, user.id)
        member = admin.identity.find_role("member", ignore_missing=False)
        admin.identity.assign_project_role_to_user(self.id, user.id, member.id)
        self.auth = {
            "auth_url": admin.config.get_auth_args()["auth_url"],
            "username": self.name,
            "password": password,
            "project_name": self.name,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
        self.cloud = Connection(auth=self.auth, region_name=admin.config.get_region_name(), interface="public")
        made.callback(self.cloud.close)

    def _forget_groups(self) -> None:
        """The group that every project has by itself does not go with it."""
        for group in self._admin.network.security_groups(project_id=self.id):
            self._admin.network.delete_security_group(group.id)

    def network(self, cidr: str, outside: str | None = None) -> Network:
        """Make a network with DHCP; with `outside`, a router to that external network."""
        api, made = self.cloud.network, self._made
        net = api.create_network(name=self.name)
        made.callback(api.delete_network, net.id)
        subnet = api.create_subnet(network_id=net.id, name=self.name, ip_version=4, cidr=cidr)
        made.callback(api.delete_subnet, subnet.id)
        if outside is None:
            return Network(net.id, subnet.id, None)
        router = api.create_router(name=self.name, external_gateway_info={"network_id": outside})
        made.callback(api.delete_router, router.id)
        api.add_interface_to_router(router.id, subnet_id=subnet.id)
        made.callback(api.remove_interface_from_router, router.id, subnet_id=subnet.id)
        return Network(net.id, subnet.id, router.id)

    def group(self, *rules: dict[str, Any]) -> str:
        """Make a security group that lets in what the rules say."""
        api = self.cloud.network
        group = api.create_security_group(name=f"{self.name}-own")
        self._made.callback(api.delete_security_group, group.id)
        for rule in rules:
            api.create_security_group_rule(security_group_id=group.id, direction="ingress", ethertype="IPv4", **rule)
        return str(group.name)

    def keypair(self) -> str:
        """Have Nova make a key."""
        key = self.cloud.compute.create_keypair(name=self.name)
        self._made.callback(self.cloud.compute.delete_keypair, key.id)
        assert key.private_key
        return str(key.name)

    def servers(self, count: int, *, image: str, flavor: str, network: Network, **more: Any) -> list[Any]:
        """Make servers, all at once, and wait until each is active."""
        made = [
            self.cloud.compute.create_server(
                name=f"{self.name}-{number}",
                image_id=image,
                flavor_id=flavor,
                networks=[{"uuid": network.id}],
                **more,
            )
            for number in range(count)
        ]
        for server in made:
            self._made.callback(partial(self.without, server.id))
        return [self.settled(server.id) for server in made]

    def settled(self, server: str, status: str = "ACTIVE", within_s: float = ANSWER_S) -> Any:
        """Wait until a server is in a state; an error is told at once."""

        def look() -> Any:
            live = self.cloud.compute.get_server(server)
            if live.status == "ERROR" != status:
                pytest.fail(f"server {server}: {live.fault}")
            return live if live.status == status and not live.task_state else None

        return until(f"server {server} {status}", look, within_s)

    def without(self, server: str) -> None:
        """Delete a server, and wait until it is gone."""
        self.cloud.compute.delete_server(server, ignore_missing=True)
        until(f"server {server} gone", lambda: not self._is_there(server))

    def _is_there(self, server: str) -> bool:
        try:
            return bool(self.cloud.compute.get_server(server))
        except NotFoundException:
            return False


@contextmanager
def project(admin: Connection, name: str, **quota: int) -> Iterator[Project]:
    """A project for a while; `quota` are limits of Nova's."""
    with ExitStack() as made:
        one = Project(admin, made, name)
        if quota:
            admin.compute.update_quota_set(one.id, **quota)
        yield one


@dataclass(frozen=True)
class Guest:
    """A server from within: the network namespace that is its inside, on its compute node."""

    server: str
    host: str
    address: str

    @classmethod
    def of(cls, admin: Connection, server: Any) -> Guest:
        """Where a server runs, as administrators are told."""
        live = admin.compute.get_server(server.id)
        [addresses] = live.addresses.values()
        fixed = next(each["addr"] for each in addresses if each["OS-EXT-IPS:type"] == "fixed")
        return cls(live.id, str(live.hypervisor_hostname).split(".")[0], fixed)

    def run(self, *argv: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command inside."""
        inside = ["ip", "netns", "exec", f"server-{self.server}", *argv]
        return subprocess.run(
            [*LAB, "shell", self.host, *inside], check=False, capture_output=True, text=True, timeout=timeout_s
        )

    def pings(self, address: str, count: int = 20) -> int:
        """How many of some echo requests are answered."""
        said = self.run("ping", "-n", "-q", "-i", "0.2", "-W", "2", "-c", str(count), address).stdout
        return next((int(line.split(", ")[1].split()[0]) for line in said.splitlines() if " received" in line), 0)

    def reaches(self, address: str, port: int) -> bool:
        """Whether a TCP port answers, be it with a refusal: then nobody on the way held the packets back."""
        said = self.run("/usr/bin/python3", "-c", CONNECT, address, str(port))
        assert said.returncode == 0, said.stderr
        return int(said.stdout) in (0, errno.ECONNREFUSED)

    def fetches(self, url: str) -> str:
        """What a web server answers."""
        said = self.run("/usr/bin/python3", "-c", FETCH, url)
        assert said.returncode == 0, said.stderr
        return said.stdout
