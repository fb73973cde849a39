"""`wait_until_dropped.py GCOMM_URI`: waits while other members still count this one, from before it died, as theirs.

A member that died without a word is one of the others' view until they have agreed that it is gone. If it comes back
in the middle of that, under its old address and a new identity, their agreement fails: they have been seen to lose the
primary component for half a minute. Ends with 0 once nobody counts it, and after PATIENCE_S in any case.
"""

from __future__ import annotations

import http.client
import os
import sys
import time

PORT = int(os.environ.get("HEALTH_PORT", "8081"))
PATIENCE_S = 15.0  # evs.inactive_timeout, and time to spare: by then they have dropped it
PAUSE_S = 0.2


def members(host: str) -> list[str]:
    """The names of the members in another one's view; none if it does not answer."""
    connection = http.client.HTTPConnection(host, PORT, timeout=1.0)
    try:
        connection.request("GET", "/members")
        answer = connection.getresponse()
        return answer.read().decode().split() if answer.status == http.client.OK else []
    except (OSError, http.client.HTTPException):
        return []
    finally:
        connection.close()


def main() -> None:
    """Wait, bounded."""
    me = os.environ["POD_NAME"]
    hosts = sys.argv[1].removeprefix("gcomm://").split(",")
    others = [host for host in hosts if host.split(".")[0] != me]
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and any(me in members(host) for host in others):
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
