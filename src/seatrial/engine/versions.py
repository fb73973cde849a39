"""What a run was done with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("seatrial", "kubernetes", "openstacksdk", "pytest", "pytest-bdd", "locust", "chaostoolkit", "tenacity")


def versions() -> dict[str, str]:
    """Return the versions of everything whose behaviour a verdict may depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
