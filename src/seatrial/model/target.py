"""How to reach a deployment, and what may be done to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path

from seatrial.model.known import KNOWN


class Grant(StrEnum):
    """What the owner of the deployment allows; each includes those before it."""

    OBSERVE = "observe"
    MUTATE = "mutate"
    DISRUPT = "disrupt"

    def includes(self, other: Grant) -> bool:
        """Tell whether having this grant allows what ``other`` asks for."""
        order = list(Grant)
        return order.index(self) >= order.index(other)


class Profile(StrEnum):
    """What kind of deployment it claims to be (architecture document, "OpenStack compute cell services")."""

    PRODUCTION = "production"
    PROOF_OF_CONCEPT = "proof_of_concept"


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that must never be printed; ``reveal`` is the only way to read it.

    Once one is made, its text is taken out of everything that this process writes (``journal.sieve``).
    """

    _text: str = field(repr=False)

    def __post_init__(self) -> None:
        """Tell the sieve."""
        KNOWN.tell(self._text)

    def reveal(self) -> str:
        """Return the text itself, for a client that sends it."""
        return self._text

    def __str__(self) -> str:
        """Return a placeholder, never the text."""
        return "<secret>"

    __repr__ = __str__


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be hurt at once."""

    max_down: Mapping[str, int] = field(default_factory=dict)
    """Most instances of a component (by name, or ``*``) that a fault may take at once."""
    protected: tuple[str, ...] = ()
    """Names that no fault may touch."""

    def allowed(self, component: str) -> int:
        """Return how many instances of this component may be down at once; 1 when nothing is said."""
        return self.max_down.get(component, self.max_down.get("*", 1))


@dataclass(frozen=True, slots=True)
class Waiver:
    """A requirement whose violation the owner has accepted until a day."""

    requirement: str
    reason: str
    owner: str
    expires: date


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """How the platform's API is reached: through kubeconfig files, or as the service account of the pod we run in."""

    kubeconfig: tuple[Path, ...] | None
    """Merged as kubectl does: what the first of them says, holds. None: the service account."""
    context: str | None = None

    def __str__(self) -> str:
        """Return how a person names this way in."""
        if self.kubeconfig is None:
            return "the service account of this pod"
        context = f", context {self.context}" if self.context else ""
        return f"kubeconfig {':'.join(str(file) for file in self.kubeconfig)}{context}"


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Where things live."""

    control_plane: str = "openstack"
    operators: str = "openstack-operators"


@dataclass(frozen=True, slots=True)
class Cloud:
    """How the OpenStack APIs are reached: an entry of a clouds.yaml, or the OS_* variables of the environment."""

    clouds_yaml: Path | None
    """None: the variables."""
    name: str
    secure: tuple[Path, ...] = ()
    """Where secrets may be kept apart from it; the first of these that exists is merged into it."""

    def __str__(self) -> str:
        """Return how a person names this way in."""
        place = "the variables OS_*" if self.clouds_yaml is None else str(self.clouds_yaml)
        return f"cloud {self.name!r} in {place}"


@dataclass(frozen=True, slots=True)
class Agent:
    """The pod of the harness's own from which paths inside the cluster are measured."""

    image: str | None = None
    """Any image with python3 that the cluster can run; by default that of the Keystone API, which is there already."""


@dataclass(frozen=True, slots=True)
class Target:
    """One deployment: ways to reach it, grants, limits, profile, exceptions. Validated before first contact."""

    name: str
    kubernetes: Kubernetes
    cloud: Cloud
    grant: Grant = Grant.OBSERVE
    namespaces: Namespaces = Namespaces()
    agent: Agent = Agent()
    limits: Limits = Limits()
    profile: Profile = Profile.PRODUCTION
    exceptions: Mapping[str, str] = field(default_factory=dict)
    """Declared exceptions: an edge or subject, and the reason it is accepted."""
    waivers: tuple[Waiver, ...] = ()
    budgets: Mapping[str, float] = field(default_factory=dict)
    """Overrides of named deadlines, in seconds."""
