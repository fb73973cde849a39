"""Keystone projects that the ledger makes; undo deletes every one of them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from seatrial.faults import proof
from seatrial.faults.given import Given
from seatrial.model.access import ProjectsAccess
from seatrial.model.fault import Injection, Look
from seatrial.model.inventory import Inventory
from seatrial.model.observation import Json
from seatrial.model.rights import Right
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

    def rights(self) -> tuple[Right, ...]:
        """Return what it needs of the platform: nothing, projects are the cloud's."""
        return ()

    def applies(self, inventory: Inventory) -> str | None:
        """Return why it can't be made: there is no Keystone."""
        return None if inventory.of_service("keystone") else "there is no Keystone in this deployment"

    def prepare(self, deployment: Deployment, inventory: Inventory, seed: int) -> Injection:
        """Choose a prefix that nobody has."""
        prefix = f"seatrial-{secrets.token_hex(3)}-"
        return proof.new_injection(
            self.kind,
            self.parameters(),
            [f"projects/{prefix}"],
            {"prefix": prefix},
            by_hand=[f"openstack project list, and delete those whose names begin with {prefix}"],
        )

    def inject(self, deployment: Deployment, injection: Injection) -> None:
        """Do nothing: the ledger makes the projects, one by one."""

    def holds(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether the prefix is free to use, and so whether projects can be listed."""
        return Look(not _own(deployment, injection), dict(injection.recipe))

    def undo(self, deployment: Deployment, injection: Injection, waited_s: float) -> None:
        """Delete every project with the prefix."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            # Consumed, so that what went wrong with one is raised here.
            list(pool.map(deployment.openstack.delete_project, _own(deployment, injection)))

    def gone(self, deployment: Deployment, injection: Injection) -> Look:
        """Tell whether no project with the prefix is left."""
        left = len(_own(deployment, injection))
        return Look(left == 0, {"left": left})

    def access(self, injection: Injection) -> ProjectsAccess:
        """Return under which names projects are made."""
        return ProjectsAccess(proof.own_name(injection.recipe, "prefix"))


def _own(deployment: Deployment, injection: Injection) -> list[str]:
    prefix = proof.own_name(injection.recipe, "prefix")
    return [identity for identity, name in deployment.openstack.projects().items() if name.startswith(prefix)]
