"""The distribution's packages that the lab's programs come from."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from seatrial_lab.build.run import run

NEEDED = (
    "busybox",
    "catatonit",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "dnsmasq-base",
    "etcd-server",
    "ethtool",
    "galera-4",
    "haproxy",
    "iproute2",
    "iptables",
    "iputils-ping",
    "mariadb-server",
    "memcached",
    "nftables",
    "novnc",
    "openssh-client",
    "openssh-server",
    "openvswitch-switch",
    "ovn-central",
    "ovn-host",
    "procps",
    "python3-venv",
    "rabbitmq-server",
    "rsync",
    "runc",
    "runit",
    "udhcpc",
    "util-linux",
)
POLICY = Path("/usr/sbin/policy-rc.d")


def missing() -> tuple[str, ...]:
    """Return the packages that are not installed."""
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *NEEDED],
        check=False,
        capture_output=True,
        text=True,
    )
    installed = {line.split()[0] for line in asked.stdout.splitlines() if line.endswith(" installed")}
    return tuple(name for name in NEEDED if name not in installed)


@contextlib.contextmanager
def _no_daemon_starts() -> Iterator[None]:
    """Keep packages from starting their daemons on the machine (invoke-rc.d's own switch), while we install."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def install(names: tuple[str, ...]) -> None:
    """Install packages with apt-get; needs root; none of their daemons is started."""
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    with _no_daemon_starts():
        run(["apt-get", "update", "-qq"], env=env)
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *names], env=env)
