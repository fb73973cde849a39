"""Names to addresses, remembered for as long as a cluster's DNS says one may.

A client that opens fifty connections a second and asks for the name each time measures (and loads) the DNS, not the
path: with the search list of a pod one such look-up is eight questions.
"""

from __future__ import annotations

import socket
import threading
import time

_KEEP_S = 5.0
_lock = threading.Lock()
_known: dict[tuple[str, int], tuple[float, str]] = {}


def resolve(host: str, port: int) -> str:
    """Return one address of ``host``; an answer is used for five seconds. Raises OSError when there is none."""
    with _lock:
        kept = _known.get((host, port))
    if kept is not None and time.monotonic() - kept[0] < _KEEP_S:
        return kept[1]
    address = str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    with _lock:
        _known[host, port] = (time.monotonic(), address)
    return address
