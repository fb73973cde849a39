"""The same done to several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from seatrial.model.errors import Unreachable

_AT_ONCE = 8
S = TypeVar("S")
T = TypeVar("T")


def everywhere(those: Sequence[S], act: Callable[[S], T]) -> list[T]:
    """Do the same to all of them, at once rather than one after the other; fails only when all were tried."""
    if len(those) < 2:
        return [act(one) for one in those]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = [_submitted(pool, partial(act, one)) for one in those]
    failures = [failure for future in futures if (failure := future.exception()) is not None]
    for failure in failures:
        if not isinstance(failure, Unreachable):
            raise failure
    if len(failures) > 1:
        raise Unreachable("; ".join(str(failure) for failure in failures))
    if failures:
        raise failures[0]
    return [future.result() for future in futures]


def _submitted(pool: ThreadPoolExecutor, act: Callable[[], T]) -> Future[T]:
    try:
        return pool.submit(act)
    except RuntimeError:
        # No thread to be had. One after the other takes longer, and takes everything back all the same.
        done: Future[T] = Future()
        try:
            done.set_result(act())
        except Exception as problem:
            done.set_exception(problem)
        return done
