"""All the ways to reach one target, opened when first used."""

from __future__ import annotations

import threading
from types import TracebackType

from seatrial.clients.kube import Kube
from seatrial.clients.openstack import OpenStack
from seatrial.model.target import Target


class Deployment:
    """One deployment under trial: its target and the clients that reach it."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._lock = threading.Lock()
        self._kube: Kube | None = None
        self._openstack: OpenStack | None = None

    @property
    def kube(self) -> Kube:
        """Return the client of the platform's API."""
        with self._lock:
            if self._kube is None:
                self._kube = Kube(self.target)
            return self._kube

    @property
    def openstack(self) -> OpenStack:
        """Return the client of the cloud's APIs."""
        with self._lock:
            if self._openstack is None:
                self._openstack = OpenStack(self.target)
            return self._openstack

    def close(self) -> None:
        """Drop all connections; the deployment may be used again afterwards."""
        with self._lock:
            if self._kube is not None:
                self._kube.close()
            if self._openstack is not None:
                self._openstack.close()
            self._kube = self._openstack = None

    def __enter__(self) -> Deployment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
