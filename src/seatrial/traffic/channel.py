"""How lines go to an agent and come back: into a pod by exec, or to a process on this machine."""

from __future__ import annotations

import base64
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from seatrial.clients.kube import Kube
from seatrial.model.access import AgentAccess
from seatrial.model.errors import Unreachable
from seatrial.traffic.package import packed

if TYPE_CHECKING:
    from seatrial.clients.kube_exec import ExecStream

# Reads the agent from standard input, so that neither an image nor a volume nor an argument has to carry it.
_BOOT = """
import base64, os, runpy, sys, tempfile
blob = base64.b64decode(sys.stdin.read(int(sys.stdin.readline())))
handle, path = tempfile.mkstemp(suffix=".zip")
os.write(handle, blob)
os.close(handle)
sys.path.insert(0, path)
runpy.run_module("seatrial.agent", run_name="__main__", alter_sys=True)
"""
_END_S = 5.0


class Channel(Protocol):
    """Lines to and from one agent."""

    def send(self, line: str) -> None:
        """Send one line; raises ``Unreachable`` when nobody takes it."""

    def lines(self) -> Iterator[str]:
        """Yield what the agent says until it ends; raises ``Unreachable`` when the connection breaks."""

    def close(self) -> None:
        """End the agent and the connection."""

    def complaint(self) -> str:
        """Return the last thing on its standard error, shortened."""


class PodChannel:
    """An agent in the harness's own pod."""

    def __init__(self, kube: Kube, place: AgentAccess) -> None:
        self._stream: ExecStream = kube.stream(
            place.pod, ["python3", "-u", "-c", _BOOT], namespace=place.namespace, container=place.container
        )
        blob = base64.b64encode(packed()).decode()
        self._stream.send(f"{len(blob)}\n{blob}".encode())

    def send(self, line: str) -> None:
        """Send one line."""
        self._stream.send(f"{line}\n".encode())

    def lines(self) -> Iterator[str]:
        """Yield what the agent says."""
        return self._stream.lines()

    def close(self) -> None:
        """End the connection; the agent sees its input end and ends too."""
        self._stream.close()

    def complaint(self) -> str:
        """Return the last thing on its standard error."""
        return _last(self._stream.stderr)


class ProcessChannel:
    """An agent on this machine, in a process of its own: the harness's own work must not delay its questions."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", "seatrial.agent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # A person's Ctrl-C is for the harness, which then ends the agent in its turn.
            start_new_session=True,
        )

    def send(self, line: str) -> None:
        """Send one line."""
        try:
            if self._process.stdin is not None:
                self._process.stdin.write(f"{line}\n")
                self._process.stdin.flush()
        except (OSError, ValueError) as problem:
            raise Unreachable(f"the agent on this machine takes no more lines: {problem}") from problem

    def lines(self) -> Iterator[str]:
        """Yield what the agent says."""
        if self._process.stdout is not None:
            # Closed by another thread: the agent was told to end.
            with contextlib.suppress(ValueError):
                yield from (line.rstrip("\n") for line in self._process.stdout)

    def close(self) -> None:
        """End the process: by closing its input, and by force when it does not end by itself."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                self._process.stdin.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_END_S)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def complaint(self) -> str:
        """Return how it ended."""
        return f"exit status {self._process.poll()}"


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "nothing on its standard error"
