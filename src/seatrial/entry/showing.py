"""How a command talks: live on a terminal, plain lines otherwise, or only the result."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.status import Status
from rich.text import Text

from seatrial.journal.sieve import shown
from seatrial.model.journal import Event, EventKind
from seatrial.model.verdict import Outcome
from seatrial.reporting.brief import brief, few
from seatrial.reporting.laying import put

_STYLES = {
    Outcome.CONFORMS: "green",
    Outcome.VIOLATES: "bold red",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.NOT_APPLICABLE: "dim",
}
_WORDS = {
    EventKind.INJECTING: "putting in place",
    EventKind.INJECTED: "in place",
    EventKind.UNDOING: "taking back",
    EventKind.UNDONE: "taken back",
    EventKind.UNDO_FAILED: "NOT taken back",
}
_PASSING = (EventKind.INJECTING, EventKind.UNDOING)
"""Shown while they last only."""
_NAMES = 80
_BECAUSE = 90
"""Characters of names, and of a reason, on one line of progress."""


class Progress:
    """Shows a run while it goes on, from the events of its journal."""

    def __init__(self, console: Console, *, quiet: bool, scenarios: Callable[[], int]) -> None:
        self._console = console
        self._quiet = quiet
        self._ask_scenarios = scenarios
        self._scenarios = 0
        self._begun = 0
        self._started = self._since = time.monotonic()
        self._doing = "starting"
        self._faults: dict[str, str] = {}
        self._status: Status | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            self._status = self._console.status(self._line())
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._status is not None:
            self._status.stop()

    def hear(self, event: Event | None) -> None:
        """Show what an event means to a person; without an event, let the clock go on."""
        if event is not None and not self._quiet:
            self._show(event)
        if self._status is not None:
            self._status.update(self._line())

    def tell(self, text: str) -> None:
        """Show a line, whatever was asked for."""
        self._console.print(escape(text))

    def _show(self, event: Event) -> None:
        data = event.data
        if event.kind is EventKind.PHASE and data.get("name") == "scenario":
            self._begun += 1
            self._scenarios = self._scenarios or self._ask_scenarios()
            self._say(event, f"scenario {self._begun} of {self._scenarios}: {data.get('scenario')}")
        elif event.kind is EventKind.PHASE:
            self._do(event, str(data.get("name")))
        elif event.kind is EventKind.PREPARED:
            subjects = data.get("subjects")
            listed = [str(subject) for subject in subjects] if isinstance(subjects, list) else []
            self._faults[str(data.get("id"))] = f"{data.get('fault')} of {few(listed, _NAMES)}"
        elif event.kind in _WORDS:
            fault = self._faults.get(str(data.get("injection")), "")
            self._do(event, f"{fault}: {_WORDS[event.kind]}", passing=event.kind in _PASSING)
        elif event.kind is EventKind.VERDICT and isinstance(data.get("verdict"), dict):
            self._verdict(event, data["verdict"])

    def _verdict(self, event: Event, verdict: object) -> None:
        if isinstance(verdict, Mapping):
            outcome = Outcome(str(verdict.get("outcome")))
            text = f"{outcome.value:<14} {verdict.get('requirement')}"
            because = "" if outcome is Outcome.CONFORMS else f": {brief(str(verdict.get('because')), _BECAUSE)}"
            self._put(event, Text(text + because, _STYLES[outcome]), indent=2)

    def _say(self, event: Event, text: str) -> None:
        self._doing, self._since = text, time.monotonic()
        self._put(event, Text(text))

    def _do(self, event: Event, text: str, *, passing: bool = False) -> None:
        self._doing, self._since = text, time.monotonic()
        if self._status is None and not passing:
            self._put(event, Text(text), indent=2)

    def _put(self, event: Event, text: Text, *, indent: int = 0) -> None:
        """Print a line: on a terminal with the time that it took so far; in a pipe, which is read later, of day."""
        clock = self._elapsed() if self._console.is_terminal else f"{event.at_utc.astimezone(UTC):%H:%M:%SZ}"
        put(self._console, text, label=Text(f"{clock} {' ' * indent}"))

    def _elapsed(self) -> str:
        took = int(time.monotonic() - self._started)
        return f"{took // 60:2d}:{took % 60:02d}"

    def _line(self) -> str:
        step = int(time.monotonic() - self._since)
        left = f"; {self._scenarios - self._begun} scenarios to come" if self._scenarios else ""
        return f"{self._elapsed()} {escape(self._doing)} ({step} s{left})"


class Careful(Console):
    """A console on which no text, whoever wrote it, shows a secret or controls the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as Rich does, line by line; control codes are its own, texts are the deployment's."""
        line: list[Segment] = []
        for segment in super().render(renderable, options):
            if not segment.control:
                line.append(segment)
            if segment.control or segment.text.endswith("\n"):
                yield from _shown(line)
                line = []
            if segment.control:
                yield segment
        yield from _shown(line)


def _shown(line: list[Segment]) -> list[Segment]:
    """Return a line as it may be shown; one that may not loses its styles, for a secret may be in several of them."""
    text = "".join(segment.text for segment in line)
    safe = shown(text)
    return line if safe == text else [Segment(safe, line[0].style)]


def console(*, error: bool = False) -> Console:
    """Return where a command writes.

    Colours and live lines only on a terminal, whose lines are broken between words; in a pipe no line is broken.
    """
    made = Careful(file=sys.stderr if error else sys.stdout, highlight=False)
    made.soft_wrap = not made.is_terminal
    return made


def closing_lines(folder: Path) -> list[str]:
    """Return what every command says at the end of a run, for who has a terminal of his own to write it on."""
    from seatrial.reporting import show  # noqa: PLC0415  (drawing is loaded only when a run has ended)

    out = io.StringIO()
    show(folder, Careful(file=out, highlight=False, soft_wrap=True, no_color=True))
    return out.getvalue().splitlines()
