"""Where the parts of a stored run lie, and how they are saved so that a kill leaves the old or the new, never half."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TypeVar

from seatrial.journal import reader
from seatrial.journal.codec import decode, encode
from seatrial.journal.sieve import sieved
from seatrial.model.errors import BadInput, Problem
from seatrial.model.inventory import Inventory
from seatrial.model.journal import Event
from seatrial.model.run import FORMAT, Run

T = TypeVar("T")
_OWNER_ALONE = 0o700
_INVENTORY = re.compile(r"inventory-(\d+)\.json")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run's folder: ``<UTC time>-<target>-<suite>``."""

    path: Path

    @classmethod
    def create(cls, out: Path, target: str, suite: str, *, now: datetime | None = None) -> RunFolder:
        """Make a new folder below ``out``; a second run within the same second gets a suffix."""
        moment = (now or datetime.now(UTC)).astimezone(UTC)
        name = f"{moment:%Y%m%dT%H%M%SZ}-{target}-{suite}"
        try:
            return cls._make(out, name)
        except OSError as error:
            found = error.strerror or str(error)
            raise BadInput([Problem(str(out), found, "a folder in which a run's folder can be made")]) from error

    @classmethod
    def _make(cls, out: Path, name: str) -> RunFolder:
        out.mkdir(parents=True, exist_ok=True)
        for suffix in ("", *(f"-{number}" for number in range(2, 100))):
            path = out / (name + suffix)
            try:
                path.mkdir(mode=_OWNER_ALONE)
            except FileExistsError:
                continue
            return cls.given(path)
        raise BadInput([Problem(str(out), f"99 runs named {name}", "a folder that has room for another")])

    @classmethod
    def given(cls, path: Path) -> RunFolder:
        """Make a run's folder of one that has a name already; only its owner can read it from now on."""
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(_OWNER_ALONE)
        folder = cls(path)
        folder.evidence.mkdir(mode=_OWNER_ALONE, exist_ok=True)
        return folder

    @classmethod
    def open(cls, path: Path, *, journal_alone: bool = False) -> RunFolder:
        """Return the stored run at ``path``; raises BadInput when there is none.

        ``journal_alone``: as undo does, which needs nothing else.
        """
        folder = cls(path)
        if not path.is_dir():
            raise BadInput(
                [Problem(str(path), "no such folder", "the folder of a run (reports/<time>-<target>-<suite>)")]
            )
        needed = (folder.journal,) if journal_alone else (folder.run_json, folder.journal)
        missing = [part.name for part in needed if not part.is_file()]
        if missing:
            accepted = f"the folder of a run, with {' and '.join(part.name for part in needed)}"
            raise BadInput([Problem(str(path), f"no {' and no '.join(missing)}", accepted)])
        return folder

    @property
    def id(self) -> str:
        """Return the run's id: what its folder was called when it began, whatever it is called now."""
        return reader.run_id(self.journal) or self.path.resolve().name

    @property
    def run_json(self) -> Path:
        """Return where plan, versions and verdicts are."""
        return self.path / "run.json"

    @property
    def journal(self) -> Path:
        """Return where the events are."""
        return self.path / "journal.jsonl"

    @property
    def evidence(self) -> Path:
        """Return the folder of what checks saw, one file per judgement, and of raw material."""
        return self.path / "evidence"

    @property
    def junit(self) -> Path:
        """Return where the JUnit report goes."""
        return self.path / "junit.xml"

    @property
    def html(self) -> Path:
        """Return where the page for people goes."""
        return self.path / "report.html"

    @property
    def sign_off(self) -> Path:
        """Return where the document to sign goes."""
        return self.path / "sign-off.md"

    @property
    def manifest(self) -> Path:
        """Return where the hashes go."""
        return self.path / "MANIFEST"

    def inventories(self) -> tuple[Path, ...]:
        """Return the stored snapshots, oldest first."""
        found = [(int(match[1]), entry) for entry in self.path.iterdir() if (match := _INVENTORY.fullmatch(entry.name))]
        return tuple(entry for _, entry in sorted(found))

    def save_inventory(self, inventory: Inventory) -> Path:
        """Store a snapshot as the next ``inventory-<n>.json`` and return its path."""
        path = self.path / f"inventory-{len(self.inventories()) + 1}.json"
        save_json(path, inventory)
        return path

    def load_inventory(self, name: str) -> Inventory:
        """Return a stored snapshot; raises BadInput when it is missing or malformed."""
        if not _INVENTORY.fullmatch(name):
            raise BadInput([Problem(str(self.path), f"inventory {name!r}", "inventory-<n>.json")])
        return load_json(Inventory, self.path / name)

    def save_run(self, run: Run) -> None:
        """Store plan, versions and verdicts."""
        save_json(self.run_json, run)

    def load_run(self) -> Run:
        """Return plan, versions and verdicts; raises BadInput when they are missing, malformed or of a later format."""
        run = load_json(Run, self.run_json)
        if run.format != FORMAT:
            raise BadInput([Problem(f"{self.run_json}: format", str(run.format), f"{FORMAT} (of this version)")])
        return run

    def events(self) -> list[Event]:
        """Return the journal; raises BadInput when it is missing or malformed before its last line."""
        try:
            return reader.read(self.journal)
        except OSError as error:
            raise BadInput([Problem(str(self.journal), error.strerror or "unreadable", "a journal")]) from error

    def write_manifest(self) -> None:
        """Store the SHA-256 of every file of the run, one ``<hash>  <name>`` a line, sorted by name.

        The very last thing that is written into a run. A MANIFEST that said something else is kept as ``MANIFEST.<n>``.
        """
        self.manifest.with_name("MANIFEST.new").unlink(missing_ok=True)  # of a writer that was killed
        if self.manifest.is_file():
            if self.manifest.read_text(encoding="utf-8", errors="replace") == self._hashes():
                return
            kept = (self.manifest.with_name(f"MANIFEST.{number}") for number in itertools.count(1))
            self.manifest.rename(next(place for place in kept if not place.exists()))
        save_text(self.manifest, self._hashes())

    def _hashes(self) -> str:
        return "".join(
            f"{sha256(entry)}  {entry.relative_to(self.path)}\n"
            for entry in sorted(self.path.rglob("*"))
            if entry.is_file() and entry != self.manifest
        )


def sha256(path: Path) -> str:
    """Return the hash of a file, however large it is."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def open_private(path: Path, *, anew: bool) -> BinaryIO:
    """Open a file of a run for writing (``anew``: from its beginning), readable by its owner alone."""
    how = os.O_TRUNC if anew else os.O_APPEND
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "wb" if anew else "ab")


def save_text(path: Path, text: str) -> None:
    """Store a text, as it is, so that a kill leaves the old file or the new one, never half of it."""
    draft = path.with_name(path.name + ".new")
    with open_private(draft, anew=True) as stream:
        stream.write(text.encode(errors="replace"))
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def save_json(path: Path, value: object) -> None:
    """Store one central value as JSON, safely and without secrets."""
    save_text(path, json.dumps(sieved(encode(value)), indent=1, allow_nan=False) + "\n")


def as_stored(value: T) -> T:
    """Return a central value as it is read again once it is stored: what is judged now must be so later."""
    data = encode(value)
    kept = sieved(data)
    return value if kept is data else decode(type(value), kept)


def load_json(cls: type[T], path: Path) -> T:
    """Return the central value stored at ``path``; raises BadInput that says where and what is wrong."""
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise BadInput([Problem(str(path), error.strerror or "unreadable", f"a stored {cls.__name__}")]) from error
    except (ValueError, RecursionError) as error:
        raise BadInput([Problem(str(path), f"no whole JSON ({error})", f"a stored {cls.__name__}")]) from error
    return decode(cls, data, where=path.name)
