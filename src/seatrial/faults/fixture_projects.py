"""Keystone projects that the ledger makes; undo deletes every one of them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from seatrial import waiting
from seatrial.faults import proof
from seatrial.faults.given import Given
from seatrial.model.access import ProjectsAccess
from seatrial.model.errors import Unreachable
from seatrial.model.fault import Injection
from seatrial.model.inventory import Inventory
from seatrial.model.observation import Json, Observation
from seatrial.model.target import Grant

if TYPE_CHECKING:
    from seatrial.clients.deployment import Deployment

_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class KeystoneProjects:
    """Reserves a prefix of project names; undo deletes all projects whose names begin with it."""

    kind: ClassVar[str] = "keystone_projects"
    grant: ClassVar[Grant] = Grant.MUTATE
    one_way: ClassVar[bool] = False

    @classmethod
    def from_given(cls, given: Given) -> KeystoneProjects:
        """Make it of parameters that somebody wrote: it has none."""
        return cls()

    def parameters(self) -> Mapping[str, Json]:
        """Return what makes an equal one."""
        return {}

    def applies(self, inventory: Inventory) -> str | None:
        """Return why it can't be made: there is no Keystone."""
        return None if inventory.of_service("keystone") else "there is no Keystone in this deployment"

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Choose a prefix that nobody has."""
        prefix = f"seatrial-{secrets.token_hex(3)}-"
        return proof.new_injection(self.kind, self.parameters(), [f"projects/{prefix}"], {"prefix": prefix})

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Do nothing: the ledger makes the projects, one by one."""

    def took_hold(self, deployment: Deployment, injection: Injection) -> Observation:
        """Prove that the prefix is free to use and that projects can be listed.

        A service that has just lost a connection of its own may refuse one request; it is asked again for a while.
        """
        limit = proof.seconds(deployment, "proof")

        def ask() -> tuple[bool, proof.Proof]:
            own = waiting.persist(lambda: _own(deployment, injection), (Unreachable,), within_s=limit)
            return not own, dict(injection.recipe)

        return proof.took_hold(injection, ask)

    def undo(self, deployment: Deployment, injection: Injection) -> None:
        """Delete every project with the prefix."""
        limit = proof.seconds(deployment, "repair")

        def clean() -> None:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                # Consumed, so that what went wrong with one is raised here.
                list(pool.map(deployment.openstack.delete_project, _own(deployment, injection)))

        waiting.persist(clean, (Unreachable,), within_s=limit, every_s=2)

    def is_gone(self, deployment: Deployment, injection: Injection) -> Observation:
        """Prove that no project with the prefix is left."""

        def ask() -> tuple[bool, proof.Proof]:
            left = len(_own(deployment, injection))
            return left == 0, {"left": left}

        return proof.is_gone(injection, ask)

    def access(self, injection: Injection) -> ProjectsAccess:
        """Return under which names projects are made."""
        return ProjectsAccess(proof.own_name(injection.recipe, "prefix"))


def _own(deployment: Deployment, injection: Injection) -> list[str]:
    prefix = proof.own_name(injection.recipe, "prefix")
    return [identity for identity, name in deployment.openstack.projects().items() if name.startswith(prefix)]
