"""A cache of built folders, each keyed by the content it was built from; a killed build leaves no half entry."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from seatrial_lab import paths


def key_of(parts: Iterable[str | Path]) -> str:
    """Return a short digest of texts and of files' contents, in the order given."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]


def entry(kind: str, key: str) -> Path:
    """Return where the entry of this kind and key is, or would be."""
    return paths.cache() / f"{kind}-{key}"


def is_built(folder: Path) -> bool:
    """Tell whether an entry was completed."""
    return (folder / ".complete").exists()


def build_once(folder: Path, make: Callable[[Path], None]) -> bool:
    """Let ``make`` fill the folder, unless it is complete; return whether anything was done.

    The folder is built in its final place, since virtual environments know their path; the mark of completion
    comes last, and a folder without it is begun anew.
    """
    if is_built(folder):
        return False
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    make(folder)
    (folder / ".complete").touch()
    forget_older(folder)
    return True


def forget_older(folder: Path, keep: int = 2) -> None:
    """Remove all but the newest entries of the folder's kind: the cache must not grow with every change."""
    kind = folder.name.rsplit("-", 1)[0]
    siblings = [p for p in folder.parent.glob(f"{kind}-*") if p.name.rsplit("-", 1)[0] == kind]
    siblings.sort(key=os.path.getmtime, reverse=True)
    for old in siblings[keep:]:
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
