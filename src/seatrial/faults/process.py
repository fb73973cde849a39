"""Processes inside containers: killed outright, or frozen and continued.

A container's process 1 ignores both signals when they come from inside, so the daemon below its init is meant; a
container whose daemon is process 1 itself is refused (delete its pod instead).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from seatrial.faults import proc, proof, select, wholeness
from seatrial.faults.given import Given, of_selector
from seatrial.faults.select import Chosen
from seatrial.model.errors import BadInput, Problem, Unreachable
from seatrial.model.fault import Injection, Look, Selector
from seatrial.model.inventory import Inventory
from seatrial.model.observation import Json
from seatrial.model.rights import Right, exec_in, watching
from seatrial.model.target import Grant

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

_ASIDE = ("log", "probe", "init")
_ROUNDS = 5
_AT_ONCE = 8
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _OfProcesses:
    """What is done to the main processes of containers: whom it is done to."""

    selector: Selector
    container: str | None = None
    kind: ClassVar[str]
    grant: ClassVar[Grant] = Grant.DISRUPT

    @classmethod
    def from_given(cls, given: Given) -> Self:
        """Make the fault of parameters that somebody wrote."""
        return cls(given.selector(), given.maybe_text("container"))

    def parameters(self) -> Mapping[str, Json]:
        """Return what makes an equal fault."""
        return _parameters(self.selector, self.container)

    def rights(self) -> tuple[Right, ...]:
        """Return what it needs of the platform."""
        return (*exec_in(where := select.place(self.selector)), *watching(where))

    def applies(self, inventory: Inventory) -> str | None:
        """Return why it may not run: nothing to select, or no such container."""
        return _reason(self.selector, self.container, inventory)

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Resolve the containers and their main processes: number, start time and name."""
        return _prepared(self.kind, self.parameters(), deployment, _choose(self, deployment, inventory, seed))


@dataclass(frozen=True, slots=True)
class KillProcess(_OfProcesses):
    """Kills the main process of a container with SIGKILL; undo waits until the platform has started it again."""

    kind: ClassVar[str] = "kill_process"
    one_way: ClassVar[bool] = True

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Kill exactly the prepared processes; a number that another process has taken meanwhile is left alone."""
        _at_once(injection, partial(_kill, deployment))

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell for each container whether it runs no more, or runs anew."""
        seen = _at_once(injection, partial(_container_now, deployment))
        return Look(all(one["anew"] or not one["running"] for one in seen), {"containers": list(seen)})

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Do nothing: the platform starts the containers again."""

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether every component has all its instances, and none runs in a container that was killed."""
        seen = wholeness.whole(deployment, injection.recipe, replaced=_killed(injection))
        return Look(
            seen.so, {**seen.proof, "containers": list(_at_once(injection, partial(_container_now, deployment)))}
        )


@dataclass(frozen=True, slots=True)
class PauseProcess(_OfProcesses):
    """Freezes all processes below a container's init with SIGSTOP; undo continues them."""

    kind: ClassVar[str] = "pause_process"
    one_way: ClassVar[bool] = False

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Freeze every process below init, the daemon first; look again for those that were born meanwhile."""
        _at_once(injection, partial(_freeze, deployment))

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether every process below init is in state T."""
        seen = _at_once(injection, partial(_states, deployment))
        held = all(one["processes"] and one["frozen"] == len(one["processes"]) for one in seen)
        return Look(held, {"containers": list(seen)})

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Continue whatever is frozen in the prepared containers."""
        left = [
            t
            for t, done in zip(_targets(injection), _at_once(injection, partial(_continued, deployment)), strict=True)
            if not done
        ]
        if left:
            raise Unreachable(f"processes are still frozen in {', '.join(str(t['pod']) for t in left)}")

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether no process is in state T and every component is whole."""
        states = _at_once(injection, partial(_states, deployment))
        seen = wholeness.whole(deployment, injection.recipe)
        return Look(seen.so and not any(one["frozen"] for one in states), {**seen.proof, "containers": list(states)})


def _targets(injection: Injection) -> list[dict[str, Any]]:
    return proof.entries(injection.recipe, "processes")


def _at_once(injection: Injection, act: Callable[[Mapping[str, Any]], T]) -> list[T]:
    """Do the same in every prepared container, at once rather than one after the other; raises the first failure."""
    targets = proof.entries(injection.recipe, "processes")
    with ThreadPoolExecutor(max(1, min(len(targets), _AT_ONCE))) as pool:
        return list(pool.map(act, targets))


def _kill(deployment: Deployment, target: Mapping[str, Any]) -> None:
    place = _place(target)
    same = [p for p in proc.listing(deployment, place) if (p.pid, p.started) == _identity(target)]
    # The shell that kills a container's daemon dies with the container, often before it can say so. Whether the daemon
    # is dead is for took_hold to prove.
    with suppress(Unreachable):
        proc.send(deployment, place, "KILL", [process.pid for process in same])


def _freeze(deployment: Deployment, target: Mapping[str, Any]) -> None:
    place = _place(target)
    for _ in range(_ROUNDS):
        moving = [p for p in proc.descendants(proc.listing(deployment, place)) if p.state not in proc.STOPPED]
        if not moving:
            return
        proc.send(deployment, place, "STOP", [process.pid for process in moving])


def _parameters(selector: Selector, container: str | None) -> dict[str, Json]:
    return of_selector(selector) | ({"container": container} if container else {})


def _reason(selector: Selector, container: str | None, inventory: Inventory) -> str | None:
    refusal = select.reason(selector, inventory)
    if refusal is not None:
        return refusal
    for component in select.components(selector, inventory):
        for replica in component.replicas:
            names = [one.name for one in replica.containers]
            if container is not None and container not in names:
                return f"{replica.subject} has no container {container!r}, only {', '.join(names) or 'none'}"
    return None


def _choose(fault: _OfProcesses, deployment: Deployment, inventory: Inventory, seed: int) -> list[tuple[Chosen, str]]:
    chosen = select.resolve(fault.selector, inventory, seed=seed, limits=deployment.target.limits)
    return [(one, fault.container or main_container(one)) for one in chosen]


def main_container(chosen: Chosen) -> str:
    """Return the container that does the pod's work: the first that is no log or probe side-car (RHOSO has both)."""
    names = [container.name for container in chosen.replica.containers]
    working = [name for name in names if name not in _ASIDE and not name.endswith(("-log", "-probe"))]
    found = working or names
    if not found:
        raise Unreachable(f"{chosen.replica.subject} reports no containers")
    return found[0]


def _prepared(
    kind: str, parameters: Mapping[str, Json], deployment: Deployment, chosen: list[tuple[Chosen, str]]
) -> Injection:
    processes: list[Json] = [_target(deployment, one, container) for one, container in chosen]
    recipe: dict[str, Json] = {
        "processes": processes,
        "workloads": wholeness.workloads(deployment, [one for one, _ in chosen]),
    }
    return proof.new_injection(kind, parameters, [one.replica.subject for one, _ in chosen], recipe)


def _target(deployment: Deployment, chosen: Chosen, container: str) -> dict[str, Json]:
    replica = chosen.replica
    place = proc.Place(replica.namespace, replica.name, container)
    daemon = proc.main_process(proc.listing(deployment, place))
    if daemon is None:
        raise BadInput(
            [
                Problem(
                    f"fault on {replica.subject}, container {container!r}",
                    "a daemon that is the container's process 1, which ignores these signals from inside",
                    "a container whose process 1 is an init (dumb-init, tini, catatonit); or the fault delete_pod",
                )
            ]
        )
    status = _status(deployment, replica.namespace, replica.name, container)
    return {
        "namespace": replica.namespace,
        "pod": replica.name,
        "uid": replica.uid,
        "container": container,
        "container_id": status[1],
        "restarts": status[2],
        "pid": daemon.pid,
        "started": daemon.started,
        "name": daemon.name,
    }


def _status(deployment: Deployment, namespace: str, pod: str, container: str) -> tuple[str, str, int, bool]:
    """Return the pod's uid, and the container's id, restarts, and whether it runs; empty for a pod that is gone."""
    manifest = deployment.kube.get("Pod", pod, namespace=namespace)
    if manifest is None:
        return "", "", 0, False
    statuses = (manifest.get("status") or {}).get("containerStatuses") or []
    own: dict[str, Any] = next((s for s in statuses if s.get("name") == container), {})
    running = "running" in (own.get("state") or {})
    return str(manifest["metadata"]["uid"]), str(own.get("containerID") or ""), int(own.get("restartCount", 0)), running


def _container_now(deployment: Deployment, target: Mapping[str, Any]) -> dict[str, Json]:
    uid, identity, restarts, running = _status(deployment, target["namespace"], target["pod"], target["container"])
    anew = uid != target["uid"] or (bool(identity) and identity != target["container_id"])
    return {
        "pod": target["pod"],
        "container": target["container"],
        "killed": f"{target['name']} (pid {target['pid']})",
        "running": running,
        "anew": anew or restarts > target["restarts"],
        "old_id": target["container_id"],
        "new_id": identity,
        "restarts": restarts,
    }


def _killed(injection: Injection) -> frozenset[str]:
    return frozenset(target["container_id"] for target in proof.entries(injection.recipe, "processes"))


def _place(target: Mapping[str, Any]) -> proc.Place:
    return proc.Place(target["namespace"], target["pod"], target["container"])


def _identity(target: Mapping[str, Any]) -> tuple[int, int]:
    return target["pid"], target["started"]


def _same_container(deployment: Deployment, target: Mapping[str, Any]) -> bool:
    uid, identity, _, running = _status(deployment, target["namespace"], target["pod"], target["container"])
    return running and uid == target["uid"] and identity == target["container_id"]


def _states(deployment: Deployment, target: Mapping[str, Any]) -> dict[str, Any]:
    """Return the processes below init and how many are frozen; none when the container has been replaced."""
    replaced = not _same_container(deployment, target)
    processes = () if replaced else proc.descendants(proc.listing(deployment, _place(target)))
    return {
        "pod": target["pod"],
        "container": target["container"],
        "replaced": replaced,
        "frozen": sum(process.state in proc.STOPPED for process in processes),
        "processes": [{"pid": p.pid, "name": p.name, "state": p.state} for p in processes],
    }


def _continued(deployment: Deployment, target: Mapping[str, Any]) -> bool:
    """Continue what is frozen in one container; True when nothing is frozen there (any more)."""
    for _ in range(_ROUNDS):
        if not _same_container(deployment, target):
            return True
        place = _place(target)
        frozen = [p for p in proc.descendants(proc.listing(deployment, place)) if p.state in proc.STOPPED]
        if not frozen:
            return True
        # Children first: a parent that wakes and finds its children silent might replace them.
        proc.send(deployment, place, "CONT", [process.pid for process in reversed(frozen)])
    return False
