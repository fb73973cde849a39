"""Whoever reads along may leave (`| head -1`): a command goes on to its end, and its status is the one it earned."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


class _Patient(io.RawIOBase):
    """Writes to a descriptor for as long as somebody reads there, and to nobody afterwards."""

    def __init__(self, stream: TextIO) -> None:
        self._fd = stream.fileno()
        self._tty = stream.isatty()
        self._left = False

    def writable(self) -> bool:
        """Tell that this is for writing."""
        return True

    def isatty(self) -> bool:
        """Tell whether a person sees it at once."""
        return self._tty

    def fileno(self) -> int:
        """Return where it is written to."""
        return self._fd

    def write(self, data: object) -> int:
        """Write, or do as if."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(type(data).__name__)
        if not self._left:
            try:
                return os.write(self._fd, data)
            except BrokenPipeError:
                self._left = True
        return len(data)


def bear_with_leaving() -> None:
    """From now on nobody who stops reading our output ends us; does nothing where output goes somewhere special."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or stream is not getattr(sys, f"__{name}__"):
            continue
        stream.flush()
        patient = io.TextIOWrapper(
            io.BufferedWriter(_Patient(stream)),
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=stream.line_buffering,
            write_through=name == "stderr",
        )
        setattr(sys, name, patient)
