"""Keeps secrets and control characters out of what pytest prints of a trial, wherever that goes."""

from __future__ import annotations

import re
import sys
from typing import IO, Any

import pytest

from seatrial.journal.sieve import shown
from seatrial.journal.stream import Stream

# Colours that pytest itself sets; those that hide text or blink are nobody's.
_COLOUR = re.compile(r"(\x1b\[(?:0|1|2|4|7|3\d|4\d|9\d|10\d|38;5;\d+)?(?:;(?:0|1|2|4|7|3\d|4\d|9\d|10\d))*m)")


class Guarded:
    """A text file through which only what may be shown reaches another; everything else about it is the other's."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._stream = Stream(self._shown)

    def write(self, text: str) -> int:
        """Write what may be shown of a text."""
        self._file.write(self._stream.clean(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def _shown(self, text: str) -> str:
        if "\x1b" not in text or not self._file.isatty():
            # A line that is to be written over the one before begins so on a terminal.
            over = "\r" if text.startswith("\r") and self._file.isatty() else ""
            return over + shown(text.removeprefix(over))
        parts = _COLOUR.split(text)
        return "".join(part if index % 2 else shown(part) for index, part in enumerate(parts))


class Guard:
    """The plugin that a trial registers with pytest."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Stand between pytest and the terminal, or the log."""
        reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            writer = reporter._tw  # noqa: SLF001  (pytest has no public way to this)
            writer._file = Guarded(writer._file)  # noqa: SLF001

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Guard what Python itself may still say while it ends."""
        if not isinstance(sys.stderr, Guarded):
            sys.stderr = Guarded(sys.stderr)


def guard(config: pytest.Config) -> None:
    """Guard a trial's output; a traceback shows no arguments of functions, and nothing that a step printed."""
    option = config.option
    option.tbstyle = "short" if option.tbstyle == "auto" else option.tbstyle
    option.showcapture = "no" if option.showcapture == "all" else option.showcapture
    config.pluginmanager.register(Guard(), "seatrial-guard")
