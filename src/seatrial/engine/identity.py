"""Which deployment this is: what a run remembers of it, and compares before it acts on what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from seatrial.clients.deployment import Deployment
from seatrial.model.errors import BadInput, Problem, Unreachable
from seatrial.model.fault import Injection

_WORDS = {
    "target": "target",
    "cluster": "cluster (uid of namespace kube-system)",
    "control_plane": "control plane (uid of the OpenStackControlPlane)",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """One deployment, as nobody else can be it."""

    target: str
    """The target's name, as its file says."""
    cluster: str
    """Uid of the namespace ``kube-system``, which lives as long as its cluster."""
    control_plane: str
    """Uid of the OpenStackControlPlane."""

    def as_data(self) -> dict[str, str]:
        """Return it as what a journal keeps."""
        return asdict(self)


def identify(deployment: Deployment) -> Identity:
    """Ask the platform who it is; raises NotPermitted or Unreachable when it does not say."""
    target = deployment.target
    namespace = target.namespaces.control_plane
    system = deployment.kube.get("Namespace", "kube-system")
    if system is None:
        raise Unreachable("the platform has no namespace kube-system: it can't be told from another")
    planes = deployment.kube.list("OpenStackControlPlane", namespace=namespace)
    uids = sorted(str(plane["metadata"]["uid"]) for plane in planes)
    if not uids:
        raise Unreachable(f"there is no OpenStackControlPlane in namespace {namespace!r}")
    return Identity(target.name, str(system["metadata"]["uid"]), ",".join(uids))


def require_same(injections: Iterable[Injection], now: Identity) -> None:
    """Raise BadInput when any of them was prepared on another deployment than this; names both."""
    problems: dict[str, Problem] = {}
    for injection in injections:
        for problem in _differences(injection.deployment, now):
            problems.setdefault(str(problem), problem)
    if problems:
        raise BadInput(list(problems.values()))


def _differences(stored: Mapping[str, str], now: Identity) -> list[Problem]:
    return [
        Problem(
            f"--target: {word}",
            f"{getattr(now, key)!r}",
            f"{stored[key]!r}, on which the run has acted" if stored.get(key) else "a run that says where it has acted",
        )
        for key, word in _WORDS.items()
        if stored.get(key) != getattr(now, key)
    ]
