"""Runs neutron-ovn-metadata-agent on the lab's compute nodes; two things are done otherwise than by default.

Its privileged helpers are forked off it, not started as programs of their own: the agent is root here, and each helper
drops all privileges but its own either way. Forked they share the agent's memory; else each needs 100 MB and 2 s.

The southbound database is given by name, which python-ovs resolves only with the library `unbound`. There is none on
the package index, so the system's resolver is asked; any of the database's servers will do.
"""

import random
import socket
import sys

from neutron import privileged
from neutron.agent.ovn import metadata_agent
from oslo_privsep.priv_context import Method
from ovs import dns_resolve

HELPERS = (privileged.default, privileged.namespace_cmd, privileged.link_cmd)


def resolve(name: str) -> str | None:
    """Return one address of a name, another one each time; None while there is none."""
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return None
    return str(random.choice(found)[4][0])


if __name__ == "__main__":
    for helper in HELPERS:
        helper.start(Method.FORK)
    dns_resolve.resolve = resolve
    sys.argv[0] = "neutron-ovn-metadata-agent"
    sys.exit(metadata_agent.main())
