"""The commands about the trial that is going on: whose it is, and how to end it from another terminal."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from seatrial import waiting
from seatrial.entry import showing
from seatrial.entry.exit_status import Exit
from seatrial.entry.target import load_target
from seatrial.journal.folder import RunFolder
from seatrial.model.errors import SeatrialError

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment
    from seatrial.engine.lease import Holder

_FREE = "no trial is going on"
_MORE_S = 60.0


def status(options: Namespace) -> int:
    """Print whether a trial is going on, whose it is, and when it was last heard of."""
    target = load_target(options.target)
    from seatrial.clients.deployment import Deployment  # noqa: PLC0415
    from seatrial.engine import lease  # noqa: PLC0415

    with Deployment(target) as deployment:
        holder = lease.read(deployment.kube, target.namespaces.control_plane)
    if options.json:
        _print_json(_as_data(holder))
        return Exit.CONFORMS
    out = showing.console()
    if holder is None:
        out.print(_FREE)
        return Exit.CONFORMS
    out.print(escape(f"{_state(holder)}: {holder.told()}"))
    out.print(escape(f"on {holder.host}; last heard of {_heard(holder)}"))
    for line in holder.open:
        out.print(escape(f"open: {line}"))
    return Exit.CONFORMS


def stop(options: Namespace) -> int:
    """Ask the trial that is going on to end, and wait until it has taken everything back."""
    target = load_target(options.target)
    from seatrial.clients.deployment import Deployment  # noqa: PLC0415
    from seatrial.clients.kube import Rejected  # noqa: PLC0415
    from seatrial.engine import lease  # noqa: PLC0415

    out = showing.console(error=options.json)
    with Deployment(target) as deployment:
        kube, namespace = deployment.kube, target.namespaces.control_plane
        found = kube.get(lease.KIND, lease.NAME, namespace=namespace)
        if found is None:
            return _ended(options, None, f"nothing to end: {_FREE}", Exit.CONFORMS)
        holder: Holder | None = lease.holder_of(found)
        if not lease.is_dead(kube, namespace, found):
            out.print(escape(f"asking it to end: {lease.holder_of(found).told()}"))
            with suppress(Rejected):  # it has ended in this very moment
                lease.ask_to_stop(kube, namespace)
            holder = _wait(deployment, lease.holder_of(found))
    if holder is None:
        return _ended(options, None, "it has ended, and everything was taken back", Exit.CONFORMS)
    for line in holder.open:
        out.print(escape(f"open: {line}"))
    if holder.seems_over(datetime.now(UTC)):
        told = f"it has ended, and not everything is proven to be taken back: `seatrial undo` of {holder.run}"
        return _ended(options, holder, f"{told} on {holder.host}", Exit.NOT_RESTORED)
    return _ended(options, holder, "it was asked, and is still taking back what is open", Exit.INCONCLUSIVE)


def give_back(folder: RunFolder, target_file: Callable[[], Path]) -> None:
    """Remove what a killed run that has left nothing else still holds: its right to the deployment.

    Where that can't be done now it is not this undo's failure: whoever begins a trial is told.
    """
    from seatrial.clients.deployment import Deployment  # noqa: PLC0415
    from seatrial.engine import lease  # noqa: PLC0415

    with suppress(SeatrialError):
        target = load_target(target_file())
        with Deployment(target) as deployment:
            lease.give_back(deployment.kube, target.namespaces.control_plane, folder.id)


def _wait(deployment: Deployment, asked: Holder) -> Holder | None:
    """Wait until the trial that was asked is gone, or has said that something is left, or the time for it is over."""
    from seatrial.engine import lease  # noqa: PLC0415

    target = deployment.target
    last: list[Holder | None] = [asked]

    def look() -> Holder | None:
        with suppress(SeatrialError):
            last[0] = lease.read(deployment.kube, target.namespaces.control_plane)
        now = last[0]
        return None if now is None or now.run != asked.run else now

    # A trial takes back what it hurt, then what is its own, each within its budget; then its last words.
    within_s = 2 * waiting.seconds(target.budgets, "repair") + _MORE_S
    return waiting.poll(
        look, lambda now: now is None or now.seems_over(datetime.now(UTC)), within_s=within_s, every_s=1
    ).value


def _state(holder: Holder) -> str:
    if holder.left:
        return "a trial has ended and left something behind"
    if holder.seems_over(datetime.now(UTC)):
        return "a trial has died"
    return f"a trial is ending (asked by {holder.stop})" if holder.stop is not None else "a trial is going on"


def _heard(holder: Holder) -> str:
    silent_s = holder.silent_s(datetime.now(UTC))
    return "never" if silent_s is None else f"{max(0, round(silent_s))} s ago"


def _as_data(holder: Holder | None) -> dict[str, object]:
    if holder is None:
        return {"held": False}
    return {
        "held": True,
        "state": _state(holder),
        "holder": holder.who,
        "run": holder.run,
        "suite": holder.suite,
        "host": holder.host,
        "since": holder.since,
        "renewed": None if holder.renewed is None else holder.renewed.isoformat(),
        "stop": holder.stop,
        "left_behind": holder.left,
        "open": list(holder.open),
    }


def _ended(options: Namespace, holder: Holder | None, told: str, status_: Exit) -> int:
    if options.json:
        _print_json({**_as_data(holder), "told": told, "status": int(status_)})
    else:
        showing.console().print(escape(told))
    return status_


def _print_json(value: object) -> None:
    showing.console().file.write(json.dumps(value, indent=1) + "\n")
