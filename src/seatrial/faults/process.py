"""Processes inside containers: killed outright, or frozen and continued.

A container's process 1 ignores both signals when they come from inside, so the daemon below its init is meant; a
container whose daemon is process 1 itself is refused (delete its pod instead). A signal reaches only what was prepared:
the platform is asked for pod and container before and after, and the script that sends it checks the processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

from seatrial.faults import container, proc, proof, select, wholeness
from seatrial.faults.container import Target
from seatrial.faults.given import Given, of_selector
from seatrial.faults.select import Chosen
from seatrial.faults.several import everywhere
from seatrial.model.errors import BadInput, Problem, Unreachable
from seatrial.model.fault import Injection, Look, Pick, Selector
from seatrial.model.inventory import Inventory
from seatrial.model.observation import Json
from seatrial.model.rights import Right, exec_in, watching
from seatrial.model.target import Grant

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

_ROUNDS = 8
_A_ROUND = 100
"""Processes to signal with one command: they stand in its address, which proxies cut off at 8 to 32 KiB."""


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
        return of_selector(self.selector) | ({"container": self.container} if self.container else {})

    def rights(self) -> tuple[Right, ...]:
        """Return what it needs of the platform."""
        return (*exec_in(where := select.place(self.selector)), *watching(where))

    def applies(self, inventory: Inventory) -> str | None:
        """Return why it may not run: nothing to select, no such container, or several that may be the server's."""
        refusal = select.reason(self.selector, inventory)
        if refusal is not None:
            return refusal
        for component in select.components(self.selector, inventory):
            for replica in component.replicas:
                names = [one.name for one in replica.containers]
                named = self.selector.pick is not Pick.NAMED or replica.name == self.selector.name
                if not names or not named:
                    continue
                if self.container is not None and self.container not in names:
                    return f"{replica.subject} has no container {self.container!r}, only {', '.join(names)}"
                if self.container is None and not isinstance(container.choose(names), str):
                    return str(_untold(self.kind, replica.subject, container.choose(names)))
        return None

    def _injection(self, deployment: Deployment, inventory: Inventory, seed: int, by_hand: str) -> Injection:
        """Resolve the containers and their main processes: number, start time and name."""
        chosen = select.resolve(self.selector, inventory, seed=seed, limits=deployment.target.limits)
        found = everywhere(chosen, partial(_target, deployment, self))
        problems = [one for one in found if isinstance(one, Problem)]
        if problems:
            raise BadInput(problems)
        targets = [one for one in found if not isinstance(one, Problem)]
        recipe: dict[str, Json] = {
            "processes": list[Json](targets),
            "workloads": wholeness.workloads(deployment, chosen),
        }
        return proof.new_injection(
            self.kind,
            self.parameters(),
            [one.replica.subject for one in chosen],
            recipe,
            by_hand=[_line(by_hand, target) for target in targets],
        )


@dataclass(frozen=True, slots=True)
class KillProcess(_OfProcesses):
    """Kills the main process of a container with SIGKILL; the platform starts it again."""

    kind: ClassVar[str] = "kill_process"
    one_way: ClassVar[bool] = True

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Resolve the containers and their main processes: number, start time and name."""
        return self._injection(deployment, inventory, seed, "kubectl delete pod -n {namespace} {pod}")

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Kill exactly the prepared processes; raises ``Unreachable`` that names those which are not there any more."""
        everywhere(_targets(injection), partial(_kill, deployment))

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell for each container whether the prepared process has ended."""
        seen = everywhere(_targets(injection), partial(_after_kill, deployment))
        return Look(all(one["alive"] is False for one in seen), {"containers": list[Json](seen)})

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Do nothing: the platform starts the containers again."""

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether every component is whole; a process that lives on was not killed, and needs no replacement."""
        seen = everywhere(_targets(injection), partial(_after_kill, deployment))
        ended = frozenset(str(one["old_id"]) for one in seen if not (one["alive"] or one["started_inside"]))
        whole = wholeness.whole(deployment, injection.recipe, replaced=ended)
        return Look(whole.so, {**whole.proof, "containers": list[Json](seen)})


@dataclass(frozen=True, slots=True)
class PauseProcess(_OfProcesses):
    """Freezes all processes below a container's init with SIGSTOP; undo continues them."""

    kind: ClassVar[str] = "pause_process"
    one_way: ClassVar[bool] = False

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Resolve the containers and their processes, and note what somebody else has stopped before."""
        command = "kubectl exec -n {namespace} {pod} -c {container} -- /bin/sh -c 'kill -CONT -1{again}'"
        injection = self._injection(deployment, inventory, seed, command)
        held = [t for t in _targets(injection) if [t["pid"], t["started"]] in t["stopped"]]
        if held:
            names = ", ".join(f"{t['name']} (pid {t['pid']}) in {container.place(t)}" for t in held)
            raise select.Infeasible(f"stopped already, before this trial: {names}")
        return injection

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Freeze every process below init, the daemon first; look again for those that were born meanwhile."""
        everywhere(_targets(injection), partial(_freeze, deployment))

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether the prepared containers still run, and all that is below the prepared processes is frozen."""
        seen = everywhere(_targets(injection), partial(_after_pause, deployment))
        return Look(all(one["held"] for one in seen), {"containers": list[Json](seen)})

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Continue what is frozen in the prepared containers, and in whatever has taken their place."""
        everywhere(_targets(injection), partial(_thaw, deployment))

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether nothing is frozen there that was not so before, and every component is whole.

        A container that can't be looked into because it is being started is no answer: raises ``Unreachable``.
        """
        seen = everywhere(_targets(injection), partial(_left, deployment))
        whole = wholeness.whole(deployment, injection.recipe)
        proven: dict[str, Json] = {**whole.proof, "containers": list[Json](seen)}
        return Look(whole.so and not any(one["frozen"] for one in seen), proven)


# -- preparing ---------------------------------------------------------------------------------------------------------


def _target(deployment: Deployment, fault: _OfProcesses, chosen: Chosen) -> dict[str, Json] | Problem:
    replica = chosen.replica
    name = fault.container or container.choose([one.name for one in replica.containers])
    if not name:
        raise Unreachable(f"{replica.subject} reports no containers")
    if not isinstance(name, str):
        return _untold(fault.kind, replica.subject, name)
    place = proc.Place(replica.namespace, replica.name, name)
    now = container.status(deployment, place)
    if now.uid != replica.uid or not now.running:
        raise Unreachable(f"{place} is not the one that was discovered any more, or does not run; discover again")
    try:
        seen = proc.look(deployment, place)
    except proc.NoShell:
        return Problem(
            f"fault {fault.kind} on {replica.subject}, container {name!r}",
            "an image without /bin/sh, in which nothing can be signalled",
            "the fault delete_pod, or scale_away",
        )
    if container.status(deployment, place) != now:
        raise Unreachable(f"{place} was replaced while it was looked at; discover again")
    daemon = proc.daemon(seen, container.processes_of(name))
    if isinstance(daemon, str):
        return Problem(
            f"fault {fault.kind} on {replica.subject}, container {name!r}",
            daemon,
            f"a container whose process 1 is an init ({', '.join(proc.INITS)}); or the fault delete_pod",
        )
    return {
        "namespace": replica.namespace,
        "pod": replica.name,
        "uid": now.uid,
        "container": name,
        "container_id": now.id,
        "restarts": now.restarts,
        "init": seen.init_started,
        "pid": daemon.pid,
        "started": daemon.started,
        "name": daemon.name,
        "roots": [list(one.identity) for one in proc.children(seen)],
        "stopped": [list(one.identity) for one in proc.descendants(seen) if one.state in proc.STOPPED],
    }


def _untold(kind: str, subject: str, names: str | tuple[str, ...]) -> Problem:
    told = ", ".join(names)
    found = f"several containers that may be its server's: {told}"
    return Problem(f"fault {kind} on {subject}", found, f"parameter 'container': one of {told}")


def _line(command: str, target: Mapping[str, Any]) -> str:
    again = " ".join(str(pid) for pid, _ in target["stopped"])
    return command.format(**target, again=f"; kill -STOP {again}" if again else "")


# -- acting ------------------------------------------------------------------------------------------------------------


def _kill(deployment: Deployment, target: Target) -> None:
    place = container.checked(deployment, target)
    seen = proc.look(deployment, place, init_started=target["init"])
    try:
        seen = proc.send(deployment, place, "KILL", [_daemon(target)], after=seen)
    except (proc.NotTheSame, proc.NoShell, proc.TooLate):
        raise
    except Unreachable:
        # The shell that kills a container's daemon dies with the container, often before it can say so. Whether the
        # daemon is dead is for ``holds`` to tell.
        return
    if seen.refused:
        raise Unreachable(f"nothing was killed in {place}: {'; '.join(seen.refused)}")


def _freeze(deployment: Deployment, target: Target) -> None:
    wanted = [_daemon(target)]
    seen = proc.look(deployment, container.checked(deployment, target), init_started=target["init"])
    for number in range(_ROUNDS):
        place = container.checked(deployment, target)
        seen = proc.send(deployment, place, "STOP", wanted[:_A_ROUND], after=seen)
        if number == 0 and seen.refused:
            raise Unreachable(f"nothing was frozen in {place}: {'; '.join(seen.refused)}")
        wanted = [p for p in _ours(target, proc.descendants(seen)) if p.state not in proc.STOPPED]
        if not wanted:
            break
    container.checked(deployment, target)


def _thaw(deployment: Deployment, target: Target) -> None:
    place = container.place(target)
    frozen: list[proc.Process] = []
    seen: proc.Seen | None = None
    for _ in range(_ROUNDS):
        now = container.status(deployment, place)
        if now.over:
            return
        try:
            if seen is None:
                seen = _looked_into(deployment, place, now, target)
            else:
                # Children first: a parent that wakes and finds its children silent might replace them.
                wanted = list(reversed(frozen))[:_A_ROUND]
                seen = proc.send(deployment, place, "CONT", wanted, after=seen)
        except proc.NoShell:
            return  # Nor could anything be stopped in there.
        frozen = _frozen(target, seen)
        if not frozen:
            return
    raise Unreachable(f"still frozen in {place}: {', '.join(str(process) for process in frozen)}")


# -- looking -----------------------------------------------------------------------------------------------------------


def _after_kill(deployment: Deployment, target: Target) -> dict[str, Any]:
    """Return what became of the killed process: ``alive`` is None where it can't be seen."""
    place, before = container.place(target), _daemon(target)
    now = container.status(deployment, place)
    told: dict[str, Any] = {
        "pod": target["pod"],
        "container": target["container"],
        "killed": str(before),
        "alive": False,
        "started_inside": False,
        "running": now.running,
        "anew": now.uid != target["uid"] or (bool(now.id) and now.id != target["container_id"]),
        "old_id": target["container_id"],
        "new_id": now.id,
        "restarts": now.restarts,
    }
    if not now.same(target):
        return told
    try:
        seen = proc.look(deployment, place, init_started=target.get("init"))
    except proc.NotTheSame:
        return {**told, "anew": True}
    except Unreachable as problem:
        return {**told, "alive": None, "unread": str(problem)}
    # An init that outlives its daemon has started another one, or ends itself in the next moment.
    again = any(process.name == before.name for process in proc.children(seen))
    alive = seen[before.identity] is not None
    return {**told, "alive": alive, "started_inside": again and not alive}


def _after_pause(deployment: Deployment, target: Target) -> dict[str, Any]:
    """Return the processes below init, and whether those that were prepared are frozen."""
    place = container.place(target)
    now = container.status(deployment, place)
    told: dict[str, Any] = {
        "pod": target["pod"],
        "container": target["container"],
        "held": False,
        "replaced": (now.uid, now.id) != (target["uid"], target["container_id"]),
        "restarts": now.restarts,
        "frozen": 0,
        "processes": [],
    }
    if not now.same(target):
        return told
    try:
        seen = proc.look(deployment, place, init_started=target.get("init"))
    except proc.NotTheSame:
        return {**told, "replaced": True}
    except Unreachable as problem:
        return {**told, "unread": str(problem)}
    # A probe that the platform gave up may leave an orphan to init: it came later, and nobody's service hangs on it.
    roots = [_daemon(target).identity, *((pid, started) for pid, started in target.get("roots", []))]
    meant = _ours(target, proc.below(seen.processes, roots))
    frozen = [process for process in meant if process.state in proc.STOPPED]
    daemon = seen[_daemon(target).identity]
    return {
        **told,
        "held": daemon is not None and daemon.state in proc.STOPPED and len(frozen) == len(meant),
        "frozen": len(frozen),
        "processes": [{"pid": p.pid, "name": p.name, "state": p.state} for p in proc.descendants(seen)],
    }


def _left(deployment: Deployment, target: Target) -> dict[str, Any]:
    """Return what is frozen in the prepared container or in what has its place; raises while that can't be told."""
    place = container.place(target)
    now = container.status(deployment, place)
    told: dict[str, Any] = {
        "pod": target["pod"],
        "container": target["container"],
        "replaced": (now.uid, now.id) != (target["uid"], target["container_id"]),
        "restarts": now.restarts,
        "frozen": [],
    }
    if now.over:
        return told
    try:
        seen = _looked_into(deployment, place, now, target)
    except proc.NoShell:
        return told
    again = container.status(deployment, place)
    if again != now:
        raise Unreachable(f"{place} was replaced while it was looked at: {now}, then {again}")
    return {**told, "frozen": [str(process) for process in _frozen(target, seen)]}


def _looked_into(deployment: Deployment, place: proc.Place, now: container.Status, target: Target) -> proc.Seen:
    """Return the processes of the prepared container, or of what has its place, whichever the platform shows."""
    if not now.running:
        raise Unreachable(f"{place} is being started: nothing can be looked at in there yet")
    return proc.look(deployment, place, init_started=target.get("init") if now.same(target) else None)


def _ours(target: Target, processes: Iterable[proc.Process]) -> list[proc.Process]:
    """Return these without what was stopped before the trial: that is its owner's affair."""
    before = {(pid, started) for pid, started in target.get("stopped", [])}
    return [process for process in processes if process.identity not in before]


def _frozen(target: Target, seen: proc.Seen) -> list[proc.Process]:
    """Return the processes that we may have frozen, oldest first: all but what was stopped before, in any container."""
    same = target.get("init") in (None, seen.init_started)
    below = proc.descendants(seen)
    return [p for p in (_ours(target, below) if same else below) if p.state == proc.FROZEN]


def _targets(injection: Injection) -> list[Target]:
    return list[Target](proof.entries(injection.recipe, "processes"))


def _daemon(target: Target) -> proc.Process:
    return proc.Process(target["pid"], proc.INIT, "", target["started"], target["name"])
