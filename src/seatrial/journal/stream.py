"""The sieve for what comes in pieces: the output of another process, or what a library prints."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from seatrial.journal.folder import open_private
from seatrial.journal.sieve import clean
from seatrial.model.known import REMOVED

_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_LONGEST_KEY = 200
"""Lines: a key that never ends was cut off, and what follows is something else."""


class Stream:
    """Cleans piece after piece, each at least a whole line's worth; a private key is removed over all its lines."""

    def __init__(self, clean_piece: Callable[[str], str] = clean) -> None:
        self._clean = clean_piece
        self._left = 0

    def clean(self, piece: str) -> str:
        """Return what of this piece may be written."""
        return "".join(self._line(line) for line in piece.splitlines(keepends=True))

    def _line(self, line: str) -> str:
        if self._left and not _END.search(line):
            self._left -= 1
            return ""
        if self._left:
            self._left = 0
            return line[-1:] if line.endswith("\n") else ""
        begun = max(_BEGIN.finditer(line), key=re.Match.start, default=None)
        if begun is None or _END.search(line, begun.end()):
            return self._clean(line)
        self._left = _LONGEST_KEY
        return self._clean(line[: begun.start()]) + REMOVED + line[len(line.rstrip("\n")) :]


class Log:
    """Writes what another process prints to a file of the run, line by line, as soon as a line is whole.

    ``source`` is the reading end of its output; ``close`` returns when everything has been written.
    """

    def __init__(self, source: IO[bytes], path: Path) -> None:
        self._source = source
        self._path = path
        self._thread = threading.Thread(target=self._copy, daemon=True, name=f"log {path.name}")
        self._thread.start()

    def close(self, within_s: float) -> None:
        """Wait until the process has closed its output and all of it is in the file."""
        self._thread.join(within_s)

    def _copy(self) -> None:
        stream = Stream()
        with self._source, open_private(self._path, anew=False) as file:
            for line in self._source:
                # On a full disk the log ends; its process must not stand still for that.
                with contextlib.suppress(OSError):
                    file.write(stream.clean(line.decode(errors="replace")).encode())
                    file.flush()


def clean_file(path: Path) -> None:
    """Clean a text file that another process wrote itself; one that holds nothing to remove stays as it is."""
    before = path.read_text(encoding="utf-8", errors="replace")
    after = Stream().clean(before)
    if after != before:
        with open_private(path, anew=True) as file:
            file.write(after.encode())
