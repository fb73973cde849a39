"""Control groups of the nodes, on version 1, on version 2, and on the hybrid of both."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path

from seatrial_lab.topology import Topology

ROOT = Path("/sys/fs/cgroup")
TOP = "seatrial-lab"
NEEDED = ("cpu", "cpuset", "memory", "pids")
"""Controllers without which a kubelet does not start."""
NEEDED_V1 = (*NEEDED, "cpuacct", "devices", "freezer")


def version() -> int:
    """Return which version the machine's controllers are on: 2 when the root is a unified hierarchy, else 1."""
    return 2 if (ROOT / "cgroup.controllers").exists() else 1


def hierarchies() -> list[Path]:
    """Return the root folder of every hierarchy that a kubelet looks at; on version 1 systemd's named one too."""
    if version() == 2:
        return [ROOT]
    return [p for p in ROOT.iterdir() if p.is_dir() and not p.is_symlink() and p.name != "unified"]


def missing_controllers() -> tuple[str, ...]:
    """Return the controllers that a kubelet needs and that are not to be had here."""
    if version() == 2:
        present = set((ROOT / "cgroup.controllers").read_text().split())
        return tuple(name for name in NEEDED if name not in present)
    present = {part for p in ROOT.iterdir() if p.is_dir() for part in p.name.split(",")}
    return tuple(name for name in NEEDED_V1 if name not in present)


def of_node(name: str) -> str:
    """Return the path of a node's group within every hierarchy."""
    return f"/{TOP}/{name}"


def make(plan: Topology) -> None:
    """Make each node's group in every hierarchy: without one of its own a kubelet would remove the others' pods."""
    for root in hierarchies():
        if version() == 2:
            _delegate(root)
        for folder in (root / TOP, *(root / TOP / node.name for node in plan.nodes)):
            folder.mkdir(exist_ok=True)
            if root.name == "cpuset":
                for setting in ("cpuset.cpus", "cpuset.mems"):
                    (folder / setting).write_text((folder.parent / setting).read_text())
            if version() == 2:
                _delegate(folder)


def _delegate(folder: Path) -> None:
    """Hand every controller down to the folder's children (version 2)."""
    for name in (folder / "cgroup.controllers").read_text().split():
        with contextlib.suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{name}")


def processes() -> set[int]:
    """Return every process in the lab's groups."""
    found: set[int] = set()
    for root in hierarchies():
        for folder, _, files in os.walk(root / TOP):
            if "cgroup.procs" in files:
                with contextlib.suppress(OSError):
                    found.update(int(pid) for pid in (Path(folder) / "cgroup.procs").read_text().split())
    return found


def remove(patience_s: float = 3.0) -> None:
    """Remove the lab's groups, deepest first; a group lives some moments longer than its last process."""
    deadline = time.monotonic() + patience_s
    for root in hierarchies():
        top = root / TOP
        while top.is_dir():
            for folder, _, _ in sorted(os.walk(top), key=lambda walked: -walked[0].count("/")):
                try:
                    Path(folder).rmdir()
                except OSError as error:
                    if error.errno not in (errno.EBUSY, errno.ENOENT, errno.ENOTEMPTY):
                        raise
            if time.monotonic() > deadline:
                break
            if top.is_dir():
                time.sleep(0.05)


def leftovers() -> list[str]:
    """Return the groups that still exist."""
    return [f"control group {root / TOP}" for root in hierarchies() if (root / TOP).is_dir()]
