"""Where the compiled programs and environments are that a boot uses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seatrial_lab.build import binaries, environments
from seatrial_lab.releases import DEFAULT, Release


@dataclass(frozen=True, slots=True)
class Programs:
    """The folders that a boot needs from the cache."""

    binaries: Path
    metallb: Path
    """MetalLB's own manifests."""
    pods: Path
    openstack: Path
    ansible: Path

    @classmethod
    def of_cache(cls, release: Release = DEFAULT) -> Programs:
        """Return those of today's sources."""
        built = binaries.folder()
        return cls(
            binaries=built / "bin",
            metallb=built / "metallb-native.yaml",
            pods=environments.pods(),
            openstack=environments.openstack(release),
            ansible=environments.ansible(),
        )
