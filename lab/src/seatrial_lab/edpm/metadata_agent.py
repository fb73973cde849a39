"""Runs neutron-ovn-metadata-agent with its privileged helpers forked off it, not started as programs of their own.

The agent is root on the lab's compute nodes, so nothing else changes: each helper drops all privileges but its own and
is asked over a socket. Forked they share the agent's memory; started by `privsep-helper` each needs 100 MB and 2 s.
"""

import sys

from neutron import privileged
from neutron.agent.ovn import metadata_agent
from oslo_privsep.priv_context import Method

HELPERS = (privileged.default, privileged.namespace_cmd, privileged.link_cmd)

if __name__ == "__main__":
    for helper in HELPERS:
        helper.start(Method.FORK)
    sys.argv[0] = "neutron-ovn-metadata-agent"
    sys.exit(metadata_agent.main())
