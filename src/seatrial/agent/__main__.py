"""Reads what to do from standard input, says what it sees on standard output, and never outlives its master.

The first line is the configuration: ``{"max_s", "silence_s", "paths": [...], "ledgers": [...]}``; later lines are
commands: ``{"do": "ping" | "stop" | "drain" | "exit"}``. Credentials come this way only. The agent ends when its input
closes, when nothing is said to it for ``silence_s`` (a frozen harness), and in any case after ``max_s``.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
from typing import Any

from seatrial.agent import amqp_path, clock, http_path, ledger, sql_path
from seatrial.agent.amqp_path import AmqpPath
from seatrial.agent.http_path import HttpPath
from seatrial.agent.prober import Path, Prober
from seatrial.agent.sql_path import SqlPath
from seatrial.agent.wire import Wire, short

_SETTLE_S = 3.0


class Agent:
    """Everything that one configuration asks for."""

    def __init__(self, config: dict[str, Any], wire: Wire) -> None:
        self._config = config
        self._wire = wire
        self._asking_over = threading.Event()
        self._over = threading.Event()
        self._writers: list[threading.Thread] = []
        self._probers: list[Prober] = []
        self._heard = time.monotonic()

    def start(self) -> None:
        """Begin to ask and to write."""
        threading.excepthook = self._bug
        threading.Thread(target=self._wire.flush_forever, args=(self._over,), daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()
        for entry in self._config.get("paths", ()):
            prober = Prober(
                _path(entry),
                self._wire,
                self._asking_over,
                every_s=entry.get("every_s", 0.02),
                patience_s=entry.get("patience_s", 0.1),
            )
            self._probers.append(prober)
            threading.Thread(target=prober.run, daemon=True).start()
        for entry in self._config.get("ledgers", ()):
            thread = threading.Thread(
                target=ledger.keep,
                args=(_writer(entry), self._wire, self._asking_over),
                kwargs={"every_s": entry.get("every_s", 0.05)},
                daemon=True,
            )
            self._writers.append(thread)
            thread.start()

    def obey(self, command: dict[str, Any]) -> bool:
        """Do what one line says; False when it says to end."""
        self._heard = time.monotonic()
        what = command.get("do")
        if what == "ping":
            self._wire.say("pong", sent=command.get("sent"), at=clock.now())
        elif what == "stop":
            self._stop()
        elif what == "drain":
            threading.Thread(target=self._drain, daemon=True).start()
        return what != "exit"

    def _stop(self) -> None:
        self._asking_over.set()
        # What was asked before the end is answered after it, and that is part of what was seen.
        settled = time.monotonic() + _SETTLE_S
        for prober in self._probers:
            prober.settle(settled)
        for thread in self._writers:
            thread.join(15)
        self._wire.flush()
        self._wire.say("stopped", at=clock.now(), unfinished=sum(thread.is_alive() for thread in self._writers))

    def _drain(self) -> None:
        for entry in self._config.get("ledgers", ()):
            if entry["kind"] == ledger.AmqpMessages.kind:
                ledger.drain(amqp_path.from_config(entry), self._wire)

    def _watch(self) -> None:
        ends = time.monotonic() + self._config.get("max_s", 900)
        silence_s = self._config.get("silence_s", 20)
        while time.monotonic() < ends and time.monotonic() - self._heard < silence_s:
            time.sleep(0.5)
        # The main thread sits in a read that nothing interrupts; what was gathered is lost, as nobody listens.
        os._exit(3)

    def _bug(self, failure: threading.ExceptHookArgs) -> None:
        problem = failure.exc_value
        self._wire.say(
            "error", what=failure.thread.name if failure.thread else "?", detail=short(problem or EOFError())
        )


def _path(entry: dict[str, Any]) -> Path:
    kind, name = entry["kind"], entry["name"]
    if kind == "http":
        return HttpPath(name, http_path.from_config(entry))
    if kind == "sql":
        return SqlPath(name, sql_path.from_config(entry))
    return AmqpPath(name, amqp_path.from_config(entry))


def _writer(entry: dict[str, Any]) -> ledger.Writer:
    kind = entry["kind"]
    if kind == ledger.SqlRows.kind:
        return ledger.SqlRows(sql_path.from_config(entry))
    if kind == ledger.AmqpMessages.kind:
        return ledger.AmqpMessages(amqp_path.from_config(entry))
    return ledger.Projects(ledger.from_config(entry))


def main() -> int:
    """Run until told to end; returns the exit status."""
    wire = Wire()
    wire.say("hello", at=clock.now(), python=platform.python_version(), host=platform.node())
    first = sys.stdin.readline()
    if not first.strip():
        return 2
    agent = Agent(json.loads(first), wire)
    agent.start()
    for line in sys.stdin:
        if line.strip() and not agent.obey(json.loads(line)):
            break
    return 0


if __name__ == "__main__":
    code = main()
    # Daemon threads may sit in reads of dead connections; nobody waits for them.
    sys.stdout.flush()
    os._exit(code)
