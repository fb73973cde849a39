"""Named deadlines and poll policies: how long anything may take; the only place that builds tenacity objects.

What belongs here: deadlines in seconds, overridable per target, and the two ways of waiting (until an answer is good
enough, and through errors that pass). What does not: what is asked, and whether an answer is good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from time import monotonic, sleep
from typing import Generic, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from seatrial.model.errors import BadInput, Problem

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deadline:
    """One named deadline: its default in seconds, and what it limits."""

    seconds: float
    meaning: str


DEADLINES: Mapping[str, Deadline] = {
    "api_answer": Deadline(10, "one answer of an API, a database or a broker"),
    "agent_start": Deadline(90, "the harness's own pod runs and speaks"),
    "census_window": Deadline(20, "how long the connections of all pods are watched"),
    "failover": Deadline(30, "longest time without service on a path while one instance is lost"),
    "hold": Deadline(10, "how long a fault is held before it is taken back"),
    "operator_loss_outage": Deadline(1, "longest time without service on a path while operators are down"),
    "operator_reconcile": Deadline(60, "an operator corrects drift, and its conditions follow"),
    "proof": Deadline(20, "a fault is proven to have taken hold"),
    "repair": Deadline(120, "a component has all its instances back after one was lost"),
    "settle": Deadline(8, "service is measured before a fault, and again after it"),
}
"""Every deadline that a target may override under ``budgets``."""
MOST_TIMES = 10
"""How many times its default an override may be: with more patience than that, nothing would be tried any more."""


def budgets(overrides: Mapping[str, float]) -> dict[str, float]:
    """Return all named deadlines in seconds, with a target's overrides; raises BadInput for what can't be one."""
    problems = [
        Problem(f"budgets.{name}", "unknown budget", ", ".join(sorted(DEADLINES)), _nearest(name))
        for name in overrides
        if name not in DEADLINES
    ]
    for name, value in overrides.items():
        most = MOST_TIMES * DEADLINES[name].seconds if name in DEADLINES else float("inf")
        if not 0 < value <= most or value == float("inf"):
            limit = "" if most == float("inf") else f", at most {most:g} ({MOST_TIMES} times the default)"
            problems.append(Problem(f"budgets.{name}", str(value), f"seconds, more than 0{limit}"))
    if problems:
        raise BadInput(problems)
    return {name: float(overrides.get(name, deadline.seconds)) for name, deadline in DEADLINES.items()}


def seconds(overrides: Mapping[str, float], name: str) -> float:
    """Return one named deadline in seconds: the target's own when it has one, else the default."""
    return float(overrides.get(name, DEADLINES[name].seconds))


@dataclass(frozen=True, slots=True)
class Polled(Generic[T]):
    """How a wait ended: the last answer, whether it was good enough, and how long it took."""

    value: T
    met: bool
    took_s: float
    asked: int


def pause(for_s: float) -> None:
    """Let time pass: the one place that sleeps on purpose, because what goes on meanwhile is being measured."""
    sleep(for_s)


def poll(
    ask: Callable[[], T],
    done: Callable[[T], bool],
    *,
    within_s: float,
    every_s: float = 1.0,
    each: Callable[[T], None] | None = None,
) -> Polled[T]:
    """Ask until ``done(answer)`` or until ``within_s`` has passed, and report which; always asks at least once.

    ``each`` sees every answer (a probe that polls records every poll). Errors of ``ask`` are the caller's: an ask that
    may fail returns its failure as a value. A deadline that passes is an answer, not an exception.
    """
    started = monotonic()
    asked = 0

    def once() -> T:
        nonlocal asked
        asked += 1
        answer = ask()
        if each is not None:
            each(answer)
        return answer

    def last(state: RetryCallState) -> T:
        if state.outcome is None:
            msg = "tenacity gave up before it asked"
            raise AssertionError(msg)
        answer: T = state.outcome.result()
        return answer

    policy = Retrying(
        stop=stop_after_delay(within_s),
        wait=wait_fixed(every_s),
        retry=retry_if_result(lambda answer: not done(answer)),
        retry_error_callback=last,
    )
    answer = policy(once)
    return Polled(answer, met=done(answer), took_s=monotonic() - started, asked=asked)


def persist(ask: Callable[[], T], through: tuple[type[Exception], ...], *, within_s: float, every_s: float = 0.5) -> T:
    """Ask again through errors that pass, until an answer comes or ``within_s`` is over; then raise the last error."""
    policy = Retrying(
        stop=stop_after_delay(within_s),
        wait=wait_fixed(every_s),
        retry=retry_if_exception_type(through),
        reraise=True,
    )
    return policy(ask)


def _nearest(name: str) -> str | None:
    found = get_close_matches(name, DEADLINES, n=1)
    return found[0] if found else None
