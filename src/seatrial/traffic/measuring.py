"""One path measured on its own, to know how well measuring works; trials use ``watch``."""

from __future__ import annotations

import time
from collections.abc import Callable

from seatrial import waiting
from seatrial.clients.deployment import Deployment
from seatrial.model.errors import Unreachable
from seatrial.model.target import Target
from seatrial.traffic import config
from seatrial.traffic.channel import ProcessChannel
from seatrial.traffic.link import Link
from seatrial.traffic.outage import measure

_AROUND_S = 1.0
PUBLIC = "public"


def outages_of_public_path(target: Target, cut_off: Callable[[], float]) -> tuple[float, float]:
    """Ask the public API every 20 ms while ``cut_off`` makes it unreachable for a while.

    ``cut_off``: returns how long it really was unreachable, in seconds. Returns that, and the longest outage that was
    seen. Raises ``Unreachable`` when the path does not answer before.
    """
    deployment = Deployment(target)
    link = Link(ProcessChannel(), config.outside(deployment, None, every_s=config.EVERY_S), name="outside")
    try:
        if link.wait_for_answers([PUBLIC], within_s=waiting.seconds(target.budgets, "agent_start")):
            raise Unreachable(f"path {PUBLIC} does not answer")
        started = time.time()
        waiting.pause(_AROUND_S)
        real_s = cut_off()
        waiting.pause(_AROUND_S)
        ended = time.time()
        link.stop()
        return real_s, measure(link.samples[PUBLIC], start=started, end=ended).longest_s
    finally:
        link.close()
        deployment.close()
