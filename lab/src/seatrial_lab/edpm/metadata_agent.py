"""Runs neutron-ovn-metadata-agent on the lab's compute nodes; two things are done otherwise than by default.

Its privileged helpers are forked off it, not started as programs of their own: the agent is root here, and each helper
drops all privileges but its own either way. Forked they share the agent's memory; else each needs 100 MB and 2 s.
An agent of an old release, which runs green threads, starts them all the same: those threads would go on in a forked
helper, and read there what is meant for the agent.

The southbound database is given by name. python-ovs resolves names only with the library `unbound`, which the package
index has not, or not at all; so the system's resolver is asked, and any of the database's servers will do.
"""

import os
import random
import socket
import sys
from importlib.metadata import distribution
from pathlib import Path

NAME = "neutron-ovn-metadata-agent"
# First: where it lies, and how it makes its process run threads, is each release's own affair.
[AGENT] = [each.load() for each in distribution("neutron").entry_points.select(group="console_scripts", name=NAME)]

from eventlet import patcher  # noqa: E402
from neutron import privileged  # noqa: E402
from oslo_privsep.priv_context import Method  # noqa: E402
from ovs import socket_util  # noqa: E402

HELPERS = (privileged.default, privileged.namespace_cmd, privileged.link_cmd)


def parse(target: str, default_port: int, raises: bool = True) -> tuple[str, int]:
    """Return an address of `name:port`, another one each time; none while there is none, which cannot be reached."""
    name, _, port = target.rpartition(":")
    try:
        found = socket.getaddrinfo(name, port, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return "", default_port
    address, number = random.choice(found)[4][:2]
    return str(address), int(number)


if __name__ == "__main__":
    if patcher.is_monkey_patched("thread"):
        os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # where privsep-helper is found
    else:
        for helper in HELPERS:
            helper.start(Method.FORK)
    socket_util.inet_parse_active = parse
    sys.argv[0] = NAME
    sys.exit(AGENT())
