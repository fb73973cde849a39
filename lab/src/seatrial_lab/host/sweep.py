"""Leaving the machine as it was found: works from nothing but names, after any crash at any moment."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from seatrial_lab.errors import LabError
from seatrial_lab.host import cgroups, network, process
from seatrial_lab.topology import Topology


def sweep(state: Path, plan: Topology) -> None:
    """End every process of the lab and remove its mounts, networks, groups and state folder; say what would not go."""
    stubborn = process.end_all(state, plan)
    _unmount(state)
    network.remove(plan)
    cgroups.remove()
    shutil.rmtree(state, ignore_errors=True)
    left = leftovers(state, plan) + [f"process {pid}" for pid in sorted(stubborn)]
    if left:
        msg = "the lab left something behind: " + ", ".join(left)
        raise LabError(msg)


def leftovers(state: Path, plan: Topology) -> list[str]:
    """Return everything of a lab that still exists on the machine."""
    left = [f"process {pid}" for pid in sorted(process.belonging(state, plan))]
    left += [f"mount {where}" for where in _mounts(state)]
    left += network.leftovers(plan) + cgroups.leftovers()
    if state.exists():
        left.append(f"folder {state}")
    return left


def _mounts(state: Path) -> list[str]:
    """Return the mount points inside the state folder, the innermost first."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split()[1].encode().decode("unicode_escape") for line in lines]
    return [point for point in reversed(points) if point.startswith(f"{state}/")]


def _unmount(state: Path) -> None:
    points = _mounts(state)
    for start in range(0, len(points), 200):
        subprocess.run(["umount", "-l", *points[start : start + 200]], check=False, capture_output=True)
