"""Resources that stand for parts of another: made from its specification, mirrored in its conditions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from seatrial_lab.operators.common.conditions import condition_of, is_ready, said
from seatrial_lab.operators.common.reconciler import NotYet, Round
from seatrial_lab.operators.common.resources import Json, Resource

T = TypeVar("T")
OF_A_SERVICE: Final = ("replicas", "customServiceConfig", "nodeSelector", "override")


def service_spec(template: Json, inherited: Json) -> Json:
    """What a component's own template and what it inherits come to."""
    return {**inherited, **{key: template[key] for key in OF_A_SERVICE if key in template}}


async def child(this: Round, kind: Resource, name: str, spec: Json, condition: str, *, count: str) -> Json:
    """See to a child, and say of it what it says of itself; `count` is the field that tells its ready replicas."""
    manifest = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, "spec": spec}
    live = await this.apply(manifest)
    this.status[count] = int((live.get("status") or {}).get("readyCount") or 0)
    if is_ready(live):
        this.conditions.true(condition, "Setup complete")
    elif (severity := str((condition_of(live) or {}).get("severity", "Info"))) in ("Error", "Warning"):
        this.conditions.failed(condition, f"{live['kind']} {name}: {said(live)}", severity=severity)
    else:
        this.conditions.waiting(condition, f"{live['kind']} {name}: {said(live)}")
    return live


async def no_child(this: Round, kind: Resource, name: str, condition: str, *, count: str) -> None:
    """See to it that there is no such child; it has no condition then."""
    live = await this.get(kind, name)
    if live is not None and this.is_mine(live):
        await this.kube.delete(kind, name, namespace=this.namespace, uid=live["metadata"]["uid"])
    this.status.pop(count, None)
    this.conditions.drop(condition)


async def all_of(
    this: Round, condition: str, done: str, parts: Mapping[str, Callable[[], Awaitable[T]]]
) -> dict[str, T]:
    """What there is of several parts, by name. The condition is true only of all; each that is open is told in it.

    A part that is not there yet, or says of the condition that it is not so, holds up none of the others.
    """
    found: dict[str, T] = {}
    open_ones, severity = [], "Info"
    for name, part in parts.items():
        this.conditions.true(condition, done)
        try:
            found[name] = await part()
        except NotYet as wait:
            open_ones.append(f"{name}: {wait}")
            severity = severity if wait.severity == "Info" else wait.severity
            this.look_again(wait.look_again_s)
        else:
            if not this.conditions.is_true(condition):
                open_ones.append(f"{name} is not ready")
    if not open_ones:
        this.conditions.true(condition, done)
    elif severity == "Info":
        this.conditions.waiting(condition, "; ".join(open_ones))
    else:
        this.conditions.failed(condition, "; ".join(open_ones), severity=severity)
    return found
