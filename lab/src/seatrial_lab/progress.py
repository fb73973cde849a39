"""Saying what is being done: a live line on a terminal, plain lines otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Progress:
    """The steps of one command, each with the time since it began."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._began = time.monotonic()
        self._console = Console(file=sys.stderr, highlight=False)

    def step(self, what: str) -> None:
        """Say that a step is done."""
        self._console.print(f"{self._verb}: {time.monotonic() - self._began:6.1f} s  {what}")

    def done(self, what: str) -> None:
        """Say that all is done."""
        self.step(what)

    @contextmanager
    def long(self, what: str, about: str) -> Iterator[None]:
        """Show a step that takes long while it runs."""
        if not self._console.is_terminal:
            self.step(f"{what} ({about}) ...")
            yield
            return
        with self._console.status(f"{self._verb}: {what} ({about})"):
            yield
        self.step(what)
