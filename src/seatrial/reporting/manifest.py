"""The seal of a run: the hashes of its files, as ``sha256sum -c MANIFEST`` reads them, and their verification."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from seatrial.journal.folder import RunFolder, sha256
from seatrial.model.errors import BadInput, Problem

_HEX = frozenset("0123456789abcdef")


_SIGNED = ("sign-off*.md", "*.sig", "*.asc")
"""What a person may add or write on after the run: a document that is signed, and signatures."""
UNSEALED = (
    "no MANIFEST: the run was killed before its end, or is still going on; nothing shows that its files are whole"
)


def seal(folder: Path) -> None:
    """Write the MANIFEST, after everything else; nothing must be written into the run afterwards."""
    RunFolder(folder).write_manifest()


def check_seal(folder: Path) -> tuple[str, ...]:
    """Return what a reader should know about the seal; raises BadInput naming each file that is not as it was sealed.

    Documents to sign, and signatures, may have changed: they are named. A run without a MANIFEST is told about.
    """
    if not RunFolder(folder).manifest.exists():
        return (UNSEALED,)
    problems, remarks = [], []
    for name, what in _differences(folder):
        if any(fnmatch(Path(name).name, pattern) for pattern in _SIGNED):
            remarks.append(f"{name} {what} since the run was sealed")
        else:
            problems.append(Problem(str(folder / name), f"it {what} since the run was sealed", "the files of the run"))
    if problems:
        raise BadInput(problems)
    return tuple(remarks)


def verify(folder: Path) -> tuple[str, ...]:
    """Return what differs from the MANIFEST: changed, missing and added files, each in words; empty when nothing does.

    Raises BadInput when there is no MANIFEST or a line of it is none.
    """
    return tuple(f"{name} {what}" for name, what in _differences(folder))


def _differences(folder: Path) -> list[tuple[str, str]]:
    """Return each file that is not as it was sealed, and what became of it."""
    manifest = RunFolder(folder).manifest
    listed = dict(_listed(manifest))
    present = {
        str(entry.relative_to(folder)): entry for entry in folder.rglob("*") if entry.is_file() and entry != manifest
    }
    changed = [
        (name, "was changed")
        for name, expected in listed.items()
        if name in present and sha256(present[name]) != expected
    ]
    missing = [(name, "is missing") for name in listed if name not in present]
    added = [(name, "was added") for name in present if name not in listed]
    return sorted(changed) + sorted(missing) + sorted(added)


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
