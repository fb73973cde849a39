"""How a trial shows itself on the deployment while it may change it: its Lease, and Events on what it hurts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from seatrial.clients.deployment import Deployment
from seatrial.engine import ending
from seatrial.engine.announce import Announcer
from seatrial.engine.lease import Lease
from seatrial.model.fault import Injection
from seatrial.model.inventory import Inventory


class Presence:
    """One trial's, from before anything is touched until everything is taken back."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        run: str,
        suite: str,
        still_open: Callable[[], Sequence[str]],
        limited: Callable[[str], object],
        ask: Callable[[str], None] = ending.ask,
    ) -> None:
        namespace = deployment.target.namespaces.control_plane
        self._suite = suite
        self._lease = Lease(deployment.kube, namespace, run=run, suite=suite, still_open=still_open, ask=ask)
        self._announcer = Announcer(deployment.kube, namespace, run=run, limited=limited)
        self._uids: dict[str, str] = {}

    def begin(self) -> None:
        """Take the Lease; raises BadInput when another trial is on or has left things."""
        try:
            self._lease.acquire()
        except BaseException:
            self._announcer.close()
            raise

    def announce(self) -> None:
        """Say that a trial begins."""
        self._announcer.started(self._suite)

    def begin_undo(self) -> None:
        """Take the Lease for an undo, where that can be had; raises BadInput when a trial that lives has it."""
        try:
            self._lease.acquire_for_undo()
        except BaseException:
            self._announcer.close()
            raise

    def hurt(self, injection: Injection, inventory: Inventory) -> None:
        """Tell those that were hurt; by the identity that they had when they were."""
        components = (*inventory.components, *(operator.component for operator in inventory.operators))
        self._uids |= {replica.subject: replica.uid for c in components for replica in c.replicas}
        self._announcer.injected(injection, self._uids)

    def recovered(self, injection: Injection) -> None:
        """Tell those that were hurt that it is proven to be over."""
        self._announcer.recovered(injection, self._uids)

    def not_recovered(self, injection: Injection) -> None:
        """Warn those that could not be put right."""
        self._announcer.not_recovered(injection, self._uids)

    def end(self, *, whole: bool, state: str | None = None) -> None:
        """Give the Lease back, or leave it when something is left behind; says how a trial ended. Never raises."""
        if state is not None:
            self._announcer.ended(state)
        self._announcer.close()
        self._lease.release(whole=whole)
