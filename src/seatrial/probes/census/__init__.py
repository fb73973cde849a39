"""The census of connections: who really talks to whom, read from the sockets of every pod, proven on the wire.

- ``sockets`` parses what one pod's kernel says; ``joining`` puts both ends together; ``parties`` names them
- ``ports`` says which listeners may be spoken to
- ``speak`` is the script that proves a listener's protocol; it travels into a pod
- ``watching`` does it all for a stretch of time and makes one Observation
"""

from __future__ import annotations

from seatrial.probes.census.watching import watch

__all__ = ["watch"]
