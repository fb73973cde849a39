"""The hashes of a run's files, in the form that ``sha256sum -c MANIFEST`` reads, and their verification."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from seatrial.journal.folder import RunFolder
from seatrial.model.errors import BadInput, Problem

_HEX = frozenset("0123456789abcdef")


def verify(folder: Path) -> tuple[str, ...]:
    """Return what differs from the MANIFEST: changed, missing and added files, each in words; empty when nothing does.

    Raises BadInput when there is no MANIFEST or a line of it is none.
    """
    manifest = RunFolder(folder).manifest
    listed = dict(_listed(manifest))
    present = {
        str(entry.relative_to(folder)): entry for entry in folder.rglob("*") if entry.is_file() and entry != manifest
    }
    changed = [
        f"{name} was changed"
        for name, expected in listed.items()
        if name in present and _hash(present[name]) != expected
    ]
    missing = [f"{name} is missing" for name in listed if name not in present]
    added = [f"{name} was added" for name in present if name not in listed]
    return tuple(sorted(changed) + sorted(missing) + sorted(added))


def _listed(manifest: Path) -> Iterator[tuple[str, str]]:
    try:
        text = manifest.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput([Problem(str(manifest), "no readable MANIFEST", "the MANIFEST of a run")]) from error
    for number, line in enumerate(text.splitlines(), start=1):
        hashed, _, name = line.partition("  ")
        if len(hashed) != 64 or not _HEX.issuperset(hashed) or not name:
            raise BadInput([Problem(f"{manifest}, line {number}", "no hash and name", "<sha256>  <file>")])
        yield name, hashed


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
