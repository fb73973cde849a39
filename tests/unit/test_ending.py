"""Being asked to end never interrupts a clean-up: tried on real processes with real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence

import pytest

from seatrial.engine.ending import Waves

PREAMBLE = """
    import os, signal, sys, time
    from seatrial.engine import ending
    def say(text): os.write(1, (text + "\\n").encode())
    def send(number=signal.SIGTERM, times=1):
        for _ in range(times): os.kill(os.getpid(), number)
    def later():
        # The next wave: as if a second had passed, without waiting for it.
        ending.ONE_WAVE_S = 0.0
    told = []
"""


def run(script: str) -> tuple[int, list[str]]:
    """Run a script in a process of its own; return how it ended and what it said."""
    source = textwrap.dedent(PREAMBLE) + textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-c", source], check=False, capture_output=True, text=True, timeout=60)
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_interrupts_what_goes_on(number: signal.Signals) -> None:
    """Ctrl-C, a polite end and a lost terminal all ask for the same."""
    status, said = run(f"""
        with ending.heard(still_open=lambda: []) as heard:
            try:
                send({int(number)})
                say("went on")
            except KeyboardInterrupt:
                say(heard.why)
    """)
    assert (status, said) == (0, [f"asked to end by {number.name}"])


def test_a_clean_up_is_not_interrupted_and_the_asking_is_heard_after_it() -> None:
    """A group that is signalled twice at once asks once, and the clean-up comes to its end."""
    status, said = run("""
        with ending.heard(still_open=lambda: [], tell=told.append):
            try:
                with ending.shielded():
                    send(times=2)
                    say("taken back")
                say("went on")
            except KeyboardInterrupt:
                say("ended")
        say(str(len(told)))
    """)
    assert (status, said) == (0, ["taken back", "ended", "1"])


def test_the_second_asking_tells_what_is_still_open_and_goes_on() -> None:
    """Names are shortened: a list of ten helps nobody who is in a hurry."""
    status, said = run("""
        with ending.heard(still_open=lambda: ["one", "two", "three"]):
            with ending.shielded(last=True):
                send(); later(); send()
                say("taken back")
        say("whole")
    """)
    assert status == 0
    assert said[0] == "taken back"
    assert said[1] == "whole"
    assert any("clean-up is under way; still open: one, two and 1 more" in line for line in said)


def test_the_third_asking_ends_the_process_as_it_is() -> None:
    """Whoever insists gets what he wants, and is told what is left."""
    status, said = run("""
        with ending.heard(still_open=lambda: ["pause_process of pod/x"]):
            with ending.shielded():
                send(); later(); send(); send()
                say("never")
    """)
    assert status == -signal.SIGTERM
    assert "never" not in said
    assert any("ended as it is; still open: pause_process of pod/x" in line for line in said)


def test_anybody_may_ask_from_another_thread() -> None:
    """So a lost lifeline or a stop from elsewhere ends a trial in the same good order."""
    status, said = run("""
        import threading
        with ending.heard(still_open=lambda: []) as heard:
            try:
                threading.Thread(target=ending.ask, args=("stopped by somebody",)).start()
                time.sleep(30)
            except KeyboardInterrupt:
                say(heard.why)
    """)
    assert (status, said) == (0, ["stopped by somebody"])


def test_what_we_ask_of_ourselves_is_no_insisting() -> None:
    """A stop from elsewhere, or a lifeline that breaks, after two signals: the clean-up goes on."""
    status, said = run("""
        with ending.heard(still_open=lambda: []):
            with ending.shielded(last=True):
                send(); later(); send(); ending.ask("stopped by somebody")
                say("taken back")
    """)
    assert status == 0
    assert said[0] == "taken back"


def test_who_listened_before_listens_again() -> None:
    """The handlers of the program around a trial are put back."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    status, said = run("""
        before = [signal.getsignal(number) for number in ending.SIGNALS]
        with ending.heard(still_open=lambda: []):
            pass
        say(str(before == [signal.getsignal(number) for number in ending.SIGNALS]))
    """)
    assert (status, said) == (0, ["True"])
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert os.getpid()


@pytest.mark.parametrize(
    ("moments", "waves"), [([0.0], 1), ([0.0, 0.3, 0.9], 1), ([0.0, 1.5], 2), ([0.0, 0.9, 1.8, 2.7], 1), ([5, 7, 9], 3)]
)
def test_signals_within_a_second_of_each_other_are_one_asking(moments: Sequence[float], waves: int) -> None:
    """A system that signals a process, its group and its parent's child asks once."""
    counted = Waves()
    for moment in moments:
        counted.again(now=moment)
    assert counted.count == waves
