"""Where the lab keeps things: one state folder while it is up, one cache of what was built."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def state() -> Path:
    """Return the folder that holds everything a running lab writes; gone after `down`."""
    return Path(os.environ.get("SEATRIAL_LAB_STATE", "/var/lib/seatrial-lab"))


def cache() -> Path:
    """Return the folder that holds what was built, keyed by the content it was built from."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("SEATRIAL_CACHE", f"{home}/seatrial"))


def shipped(name: str) -> Path:
    """Return a folder that travels with the lab (`kube`, `openstack`), from an installed wheel or from a checkout."""
    installed = PACKAGE / f"_{name}"
    return installed if installed.is_dir() else PACKAGE.parents[1] / name
