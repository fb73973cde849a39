"""Every random choice of a run is a function of its one seed and of what is being chosen."""

from __future__ import annotations

import hashlib


def derived(seed: int, *names: str | int) -> int:
    """Return the seed of one choice: always the same for the same run seed and names, unrelated for others.

    Worked example: the second fault of a scenario takes ``derived(run_seed, scenario, 2)``; adding a scenario before it
    does not change which member it picks, as one generator drawn from in turn would.
    """
    text = "\x1f".join((str(seed), *(str(name) for name in names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
