"""How a trial is asked to end, and why that never interrupts a clean-up.

The first signal asks for an orderly end: what is going on is interrupted, and what was hurt is taken back. The second
says that this is under way and what is still open. The third ends the process as it is. Signals that come within a
second of each other count as one: systems that cancel a job signal every process of it, and some do so twice.
"""

from __future__ import annotations

import _thread
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from time import monotonic
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ONE_WAVE_S = 1.0


class Waves:
    """Counts how often one was asked to end: what comes within a second is one asking."""

    def __init__(self) -> None:
        self.count = 0
        self._last = -ONE_WAVE_S

    def again(self, *, now: float | None = None) -> bool:
        """Take one signal; True when it begins another wave."""
        moment = monotonic() if now is None else now
        new = moment - self._last >= ONE_WAVE_S
        self._last = moment
        self.count += new
        return new


class Ending:
    """What a process does about being asked to end while it may have something in a deployment."""

    def __init__(
        self, *, still_open: Callable[[], Sequence[str]], tell: Callable[[str], None], at_last: Callable[[], None]
    ) -> None:
        self._waves = Waves()
        self._still_open = still_open
        self._tell = tell
        self._at_last = at_last
        self._shields = 0
        self._pending = False
        self.why: str | None = None
        """Why it was asked for, once it was."""
        self.asked = False
        """The next signal comes from ``ask``."""

    @contextmanager
    def shield(self, *, last: bool) -> Iterator[None]:
        """Let nothing interrupt what is done inside; who asked meanwhile is heard afterwards, but for the last."""
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
            if last:
                self._pending = False
            if not self._shields and self._pending:
                self._pending = False
                raise KeyboardInterrupt(self.why)

    def handle(self, number: int, frame: FrameType | None = None) -> None:
        """Take a signal, in the main thread."""
        asked, self.asked = self.asked, False
        if asked and self._waves.count:
            return  # what we ask of ourselves is no insisting
        if not self._waves.again():
            return
        if self._waves.count == 1:
            self.why = self.why or f"asked to end by {signal.Signals(number).name}"
            if not self._shields:
                raise KeyboardInterrupt(self.why)
            self._pending = True
            self._tell(f"{self.why}: once what is under way is over")
        elif self._waves.count == 2:
            self._tell(
                f"the clean-up is under way; still open: {listed(self._still_open())}; once more ends it as it is"
            )
        else:
            self._tell(f"ended as it is; still open: {listed(self._still_open())}")
            self._at_last()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


_current: list[Ending] = []


@contextmanager
def heard(
    *,
    still_open: Callable[[], Sequence[str]],
    tell: Callable[[str], None] | None = None,
    at_last: Callable[[], None] = lambda: None,
) -> Iterator[Ending]:
    """Take the signals that ask a process to end, for as long as this lasts.

    ``still_open``: what to name to whom asks again. ``tell``: how; by default to the standard error of now, whatever
    is made of it later (pytest captures it). ``at_last``: what else ends when the third asking ends this process.
    """
    with ExitStack() as stack:
        if tell is None:
            kept = os.dup(2)
            stack.callback(os.close, kept)

            def tell(text: str) -> None:
                # Written at once and whole: a handler may have interrupted whoever was writing through a buffer.
                os.write(kept, f"seatrial: {text}\n".encode(errors="replace"))

        ending = Ending(still_open=still_open, tell=tell, at_last=at_last)
        # Only the main thread is asked; in another one, signals are the affair of whoever has started it.
        for number in SIGNALS if threading.current_thread() is threading.main_thread() else ():
            stack.callback(signal.signal, number, signal.signal(number, ending.handle))
        _current.append(ending)
        stack.callback(_current.remove, ending)
        yield ending


def ask(why: str) -> None:
    """Ask for an orderly end, from any thread."""
    if not _current:
        _thread.interrupt_main()
        return
    _current[-1].why = _current[-1].why or why
    _current[-1].asked = True
    os.kill(os.getpid(), signal.SIGTERM)


def asked() -> str | None:
    """Return why the process was asked to end, once it was."""
    return _current[-1].why if _current else None


@contextmanager
def shielded(*, last: bool = False) -> Iterator[None]:
    """Let nothing interrupt what is done inside, if signals are heard at all.

    ``last``: it is the end that was asked for, so that nobody needs to be interrupted afterwards.
    """
    if not _current:
        yield
        return
    with _current[-1].shield(last=last):
        yield


def listed(names: Sequence[str], most: int = 2) -> str:
    """Return some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more if names else "nothing"
