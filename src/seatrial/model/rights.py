"""What an account has to be allowed to do on the platform, one right at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Where(StrEnum):
    """Where on the platform a right is needed; the target says what the namespaces are called."""

    CONTROL_PLANE = "control_plane"
    OPERATORS = "operators"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one kind of object; ``delete pods``, in the words of kubectl."""

    verb: str
    resource: str
    """As kubectl says it: ``pods/exec``, ``deployments.apps``, ``leases.coordination.k8s.io``; ``*.GROUP`` is all."""
    where: Where = Where.CONTROL_PLANE
    name: str = ""
    """Of the one object that is meant; empty: any."""
    namespace: str = ""
    """Of a fault that names its own; empty: that of ``where``."""

    @property
    def plural(self) -> str:
        """Return the kind of object, with its part after a slash, without its API group."""
        whole, slash, part = self.resource.partition("/")
        return whole.partition(".")[0] + slash + part

    @property
    def group(self) -> str:
        """Return the API group; that of pods and Services is empty."""
        return self.resource.partition("/")[0].partition(".")[2]

    def __str__(self) -> str:
        """Return it as a person says it, without where."""
        return f"{self.verb} {self.resource}" + (f" {self.name}" if self.name else "")


def rights(verbs: str, resources: str, *places: Where) -> tuple[Right, ...]:
    """Return all combinations of verbs and resources (words of a text), by default in the control plane's namespace."""
    return tuple(
        Right(verb, resource, where)
        for where in places or (Where.CONTROL_PLANE,)
        for resource in resources.split()
        for verb in verbs.split()
    )


def united(several: Iterable[Iterable[Right]]) -> tuple[Right, ...]:
    """Return what any of several needs, each right once, in order."""
    return tuple(dict.fromkeys(right for one in several for right in one))


# exec goes out as a websocket, which begins with a GET. Until Kubernetes 1.34 that asks for ``get`` alone, from 1.35 on
# for ``create`` as well (AuthorizePodWebsocketUpgradeCreatePermission); nobody can tell what tomorrow's platform asks.
_EXEC_VERBS = "get create"


def exec_in(*places: Where) -> tuple[Right, ...]:
    """Return what running a command in a pod needs."""
    return rights(_EXEC_VERBS, "pods/exec", *places)


def watching(*places: Where) -> tuple[Right, ...]:
    """Return what telling whether workloads have all their pods needs."""
    return rights("get list", "pods", *places) + rights(
        "get", "deployments.apps statefulsets.apps daemonsets.apps", *places
    )
