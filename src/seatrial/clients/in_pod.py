"""Small scripts of the harness, run by a Python that a pod of the deployment has already.

What must be asked from inside the cluster (pod addresses, cluster-internal names) is asked by such a script. It is
sent on standard input together with what it needs, secrets included: nothing of it shows in an argument or in a file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from seatrial.clients.kube import Kube
from seatrial.clients.looking import Malformed
from seatrial.model.errors import Unreachable
from seatrial.model.inventory import Inventory, Replica, Role
from seatrial.model.known import cut
from seatrial.model.observation import Json

_NO_PYTHON = frozenset({126, 127, 128})
"""Exit statuses of a shell, or of the platform, for a program that is not there."""
_ORDER = (Role.OTHER, Role.API, Role.CLIENT, Role.WORKER, Role.CACHE, Role.BROKER, Role.DATABASE)


class NoPython(Unreachable):
    """Raised when a pod has no python3."""


@dataclass(frozen=True, slots=True)
class Place:
    """A container in which a script may run."""

    pod: str
    namespace: str
    container: str | None = None


def places(inventory: Inventory) -> tuple[Place, ...]:
    """Return the containers to try, best first: the harness's own agent, then API servers, then anything that runs."""
    ranked: list[tuple[int, int, Replica]] = []
    for component, replica in inventory.replicas():
        if replica.ready and component.role is not Role.JOB and component.kind != "Job":
            own = 0 if component.service == "harness" else 1
            # A pod that nobody made and that is not ours may be anything; it comes last.
            stray = 2 if component.kind == "Pod" and own else 0
            ranked.append((own + stray, _ORDER.index(component.role), replica))
    ranked.sort(key=lambda entry: (entry[0], entry[1], entry[2].name))
    # The last container is the service itself; a log reader, where there is one, comes first (rhoso-topology 3.1).
    return tuple(
        Place(replica.name, replica.namespace, container.name)
        for _, _, replica in ranked
        for container in reversed(replica.containers)
        if container.ready
    )


def run_python(kube: Kube, place: Place, source: str, config: Json, *, timeout_s: float = 60) -> Json:
    """Run ``source`` there, call its ``main`` with ``config``, and return the JSON that it prints last."""
    # The text is a literal inside the script, so that both go in one stream and python3 needs no file.
    script = f"{source}\n\nmain(json.loads({json.dumps(json.dumps(config))}))\n"
    answer = kube.exec(
        place.pod,
        ["python3", "-"],
        namespace=place.namespace,
        container=place.container,
        stdin=script,
        timeout_s=timeout_s,
    )
    where = f"pod {place.namespace}/{place.pod}"
    if answer.status in _NO_PYTHON:
        raise NoPython(f"{where} has no python3")
    if answer.status != 0:
        # Only the last line: what comes before it quotes the script, and the script holds what it was given.
        lines = answer.stderr.strip().splitlines() or ["(nothing on stderr)"]
        raise Unreachable(f"a script in {where} ended with {answer.status}: {cut(lines[-1], 200)}")
    lines = answer.stdout.strip().splitlines()
    try:
        result: Json = json.loads(lines[-1])
    except (ValueError, IndexError) as problem:
        raise Malformed(f"a script in {where} printed no JSON") from problem
    return result


def run_anywhere(kube: Kube, candidates: Sequence[Place], source: str, config: Json, *, timeout_s: float = 60) -> Json:
    """Run ``source`` in the first place that has a python3; ``Unreachable`` tells all when none has."""
    tried: list[str] = []
    for place in candidates:
        try:
            return run_python(kube, place, source, config, timeout_s=timeout_s)
        except Unreachable as problem:
            tried.append(str(problem))
    raise Unreachable("no pod could run a script: " + ("; ".join(tried[:5]) or "there is no ready pod"))
