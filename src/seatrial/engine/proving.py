"""Looking at a hurt until what is wanted is so: the one place that waits for faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic

from seatrial import waiting
from seatrial.clients.deployment import Deployment
from seatrial.clients.looking import observed
from seatrial.faults.fixture_pod import AgentPod
from seatrial.model.errors import BadInput, HarnessBug
from seatrial.model.fault import Fault, Injection, Look
from seatrial.model.observation import Observation, Subject

UNDER_WAY_S = 35.0
"""How long an act may be under way at most: no request and no command in a pod is waited for longer, nor acts later."""
_HOLD_EVERY_S = 0.2
_UNDO_EVERY_S = 1.0


def held(deployment: Deployment, fault: Fault, injection: Injection) -> Observation:
    """Look until the hurt is there or the deadline *proof* is over; not seeing it is an observation too."""
    # The harness's own pod may have to fetch its image first.
    within_s = waiting.seconds(deployment.target.budgets, "agent_start" if fault.kind == AgentPod.kind else "proof")

    def ask(_: float) -> Look:
        return fault.holds(deployment, injection)

    return _repeated("fault.took_hold", "held", injection, ask, within_s=within_s, every_s=_HOLD_EVERY_S)


def still_held(deployment: Deployment, fault: Fault, injection: Injection) -> Observation:
    """Look once more, when the hold ends: a container that its platform has restarted is no longer frozen."""

    def ask(_: float) -> Look:
        return fault.holds(deployment, injection)

    return _repeated("fault.still_held", "held", injection, ask, within_s=0.0, every_s=_HOLD_EVERY_S)


def taken_back(
    deployment: Deployment, fault: Fault, injection: Injection, *, waited_s: float = 0.0, under_way_s: float = 0.0
) -> Observation:
    """Undo and look until the hurt is gone or the deadline *repair* is over.

    ``under_way_s``: how long an act may still be under way whose answer nobody got; only after that *gone* is proof.

    Whatever undo or the look raise means *not yet*: an exec that finds no container, an API server that is away, a pod
    that is being replaced. Only what can't become true (a recipe that is not ours) ends it at once.
    """

    def attempt(since_s: float) -> Look:
        fault.undo(deployment, injection, waited_s + since_s)
        seen = fault.gone(deployment, injection)
        return replace(seen, so=seen.so and since_s >= under_way_s)

    patience_s = under_way_s + max(
        waiting.seconds(deployment.target.budgets, "repair"),
        # Whom the operator has to put right gets the operator's time first, and then ours.
        waiting.seconds(deployment.target.budgets, "operator_reconcile") - waited_s + _UNDO_EVERY_S * 5,
    )
    return _repeated("fault.is_gone", "gone", injection, attempt, within_s=patience_s, every_s=_UNDO_EVERY_S)


def _repeated(
    probe: str, word: str, injection: Injection, ask: Callable[[float], Look], *, within_s: float, every_s: float
) -> Observation:
    asked_at, started = datetime.now(UTC), monotonic()

    def once() -> Look | Exception:
        try:
            return ask(monotonic() - started)
        except Exception as problem:  # a foreign answer of any shape must not end an undo
            return problem

    polled = waiting.poll(once, _is_over, within_s=within_s, every_s=every_s)
    seen, several = polled.value, len(injection.subjects) != 1
    return observed(
        probe,
        Subject(f"injection/{injection.id}") if several else injection.subjects[0],
        None
        if isinstance(seen, Exception)
        else {
            "injection": injection.id,
            "fault": injection.fault,
            "subjects": list(injection.subjects),
            word: seen.so,
            **seen.proof,
            "polls": polled.asked,
            "polled_s": round(polled.took_s, 3),
        },
        asked_at=asked_at,
        took_s=polled.took_s,
        error=f"{type(seen).__name__}: {seen}" if isinstance(seen, Exception) else None,
    )


def _is_over(seen: Look | Exception) -> bool:
    return isinstance(seen, BadInput | HarnessBug) if isinstance(seen, Exception) else seen.so


def says(observation: Observation, word: str) -> bool:
    """Tell whether a look says that what was wanted is so."""
    return isinstance(observation.value, dict) and observation.value.get(word) is True
