"""Shapes of load over time; ``SEATRIAL_LOAD_SHAPE`` chooses one, ``--users`` says how high it goes."""

from __future__ import annotations

import os

from locust import LoadTestShape

_STEP_S = 10.0
_STEPS = 4


class _Shape(LoadTestShape):
    """Reads ``--users``, ``--spawn-rate`` and ``--run-time`` as a load without a shape does."""

    abstract = True
    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """Return how many users there shall be now; None when the load is over."""
        options = self.runner.environment.parsed_options
        elapsed_s = self.get_run_time()
        if options.run_time and elapsed_s > options.run_time:
            return None
        most = options.num_users or 1
        return self.users(elapsed_s, most), options.spawn_rate or most

    def users(self, elapsed_s: float, most: int) -> int:
        """Return how many users there shall be after so long."""
        raise NotImplementedError


class Steady(_Shape):
    """All users from the beginning to the end."""

    def users(self, elapsed_s: float, most: int) -> int:
        """Return all of them."""
        return most


class Step(_Shape):
    """A quarter of the users more every ten seconds, until all are there."""

    def users(self, elapsed_s: float, most: int) -> int:
        """Return as many quarters as have begun."""
        begun = min(_STEPS, int(elapsed_s // _STEP_S) + 1)
        return max(1, -(-most * begun // _STEPS))


SHAPES = {"steady": Steady, "step": Step}


def chosen() -> type[LoadTestShape]:
    """Return the shape that the environment names; steady when it names none."""
    name = os.environ.get("SEATRIAL_LOAD_SHAPE", "steady")
    if name not in SHAPES:
        raise SystemExit(f"SEATRIAL_LOAD_SHAPE: found {name!r}; accepted: {', '.join(SHAPES)}")
    return SHAPES[name]
