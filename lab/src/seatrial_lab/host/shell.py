"""Running the machine's own small tools."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from seatrial_lab.errors import BootFailed


def call(*argv: str | Path, text: str | None = None) -> str:
    """Run a tool and return what it printed; raise BootFailed with its complaint if it fails."""
    done = subprocess.run([str(a) for a in argv], check=False, capture_output=True, text=True, input=text)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        msg = f"{' '.join(str(a) for a in argv)}: {said}"
        raise BootFailed(msg)
    return done.stdout


def attempt(*argv: str | Path) -> bool:
    """Run a tool whose failure is an answer too (removing what may not be there); return whether it succeeded."""
    done: subprocess.CompletedProcess[bytes] = subprocess.run([str(a) for a in argv], check=False, capture_output=True)
    return done.returncode == 0


def batch(tool: Sequence[str], lines: Sequence[str]) -> None:
    """Feed many commands to one run of a tool that reads them from a file (``ip -batch -``)."""
    call(*tool, "-batch", "-", text="\n".join(lines) + "\n")
