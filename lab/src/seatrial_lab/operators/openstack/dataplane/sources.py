"""Secrets and ConfigMaps that a NodeSet or a service refers to: whether they are there, and what they hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import Round
from seatrial_lab.operators.common.resources import CONFIG_MAP, SECRET, Json, Resource
from seatrial_lab.operators.common.secrets import plain

_KINDS: Final = (("configMapRef", CONFIG_MAP), ("secretRef", SECRET))


@dataclass(frozen=True, slots=True)
class Source:
    """A reference to a Secret or ConfigMap, and what stands there."""

    resource: Resource
    name: str
    optional: bool
    found: Json | None

    @property
    def is_missing(self) -> bool:
        """Whether it is needed and not there."""
        return self.found is None and not self.optional

    @property
    def values(self) -> dict[str, str]:
        """What it holds; nothing if it is not there."""
        return plain(self.found) if self.resource == SECRET else dict((self.found or {}).get("data") or {})

    @property
    def fingerprint(self) -> str:
        """What changes when its values do."""
        return hash_of([self.resource.kind, self.name, self.values])

    def __str__(self) -> str:
        """Name it as a person would look for it."""
        return f"{self.resource.kind} {self.name}"


async def read(this: Round, references: Iterable[Json]) -> list[Source]:
    """Read all that is referred to, in order."""
    return [
        Source(
            resource,
            str(reference[field]["name"]),
            bool(reference[field].get("optional")),
            await this.get(resource, str(reference[field]["name"])),
        )
        for reference in references
        for field, resource in _KINDS
        if field in reference
    ]
