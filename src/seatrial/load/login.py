"""Which cloud a load test logs in to, and as whom: what the harness hands over, or what OS_CLOUD names by hand.

Imported by load tests. Every kind of login that keystoneauth1 knows works, by the plugin that the cloud's entry names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from seatrial.clients import cloud
from seatrial.load.journal import CLOUD
from seatrial.model.errors import SeatrialError


def the_cloud() -> Callable[[], Any]:
    """Return a function that gives the cloud's configuration, with a login of its own each time.

    Ends the process with one line when there is no such cloud, or when it does not let us in: a load that can't log in
    would only be figures of its own refusal.
    """
    find = _handed_over() if os.environ.get(CLOUD) else cloud.by_hand
    try:
        cloud.let_in(find())
    except SeatrialError as refused:
        raise SystemExit(str(refused)) from refused
    return find


def _handed_over() -> Callable[[], Any]:
    text = sys.stdin.read()
    return lambda: cloud.taken_over(text)
