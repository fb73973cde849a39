"""A hurt as a value: six verbs whose order, journal and undo belong to the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Protocol

from seatrial.model.inventory import Inventory
from seatrial.model.observation import Json, Subject
from seatrial.model.rights import Right
from seatrial.model.target import Grant

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment


class Pick(StrEnum):
    """Which instances of a component a fault takes."""

    ONE = "one"
    ACTIVE = "active"
    """The one that its Service sends clients to, or that leads."""
    MINORITY = "minority"
    MAJORITY = "majority"
    ALL = "all"
    NAMED = "named"


@dataclass(frozen=True, slots=True)
class Selector:
    """Which instances of which component; resolved by a pure, seeded function."""

    component: str
    """A component's service name (``galera``) or workload name (``openstack-galera``)."""
    pick: Pick = Pick.ONE
    name: str | None = None
    """With ``named``: the instance."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a hurt: whether what was asked for is so, and what shows it."""

    so: bool
    proof: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault made ready: the resolved subjects, and the recipe to undo it as data."""

    id: str
    fault: str
    parameters: Mapping[str, Json]
    subjects: tuple[Subject, ...]
    recipe: Mapping[str, Json] = field(default_factory=dict)
    """All that ``undo`` and ``gone`` need, in a new process too. Never a secret."""
    costs: Mapping[str, int] = field(default_factory=dict)
    """How many instances of a subject it takes away at most; a subject that is not named here loses all it has."""
    by_hand: tuple[str, ...] = ()
    """What a person does if all else fails: at most one short line a subject."""
    deployment: Mapping[str, str] = field(default_factory=dict)
    """Which deployment it was prepared on (``engine.identity``); the engine fills it in and acts nowhere else."""


class Fault(Protocol):
    """What every fault can do. Faults are frozen dataclasses: printable, comparable, serialisable.

    None of the verbs waits: how long is waited, and how often is tried again, is the engine's affair.
    """

    kind: ClassVar[str]
    """Registered name, for example ``delete_pod``."""
    grant: ClassVar[Grant]
    one_way: ClassVar[bool]
    """True when undo means waiting for the deployment to repair itself."""

    def parameters(self) -> Mapping[str, Json]:
        """Return what ``faults.build(kind, parameters)`` needs to make an equal fault."""
        ...

    def rights(self) -> tuple[Right, ...]:
        """Return what the platform has to allow for ``inject`` and ``undo`` and the looks at it; no I/O."""
        ...

    def applies(self, inventory: Inventory) -> str | None:
        """Return why the fault may not run on this deployment, or None; no I/O."""
        ...

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Resolve subjects and build the undo recipe; reads only."""
        ...

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Act, once, on exactly the prepared subjects."""
        ...

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Look once whether the deployment really is hurt, and as it was meant."""
        ...

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Try once to take the hurt back; idempotent; works from the recipe alone, also when nothing was ever done.

        ``waited_s``: how long the deployment has had to repair itself since the undoing began. What it raises means
        that it is not taken back yet; only BadInput and HarnessBug mean that it never will be.
        """
        ...

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Look once whether the hurt is over: by what is there, not by what was meant to be done."""
        ...
