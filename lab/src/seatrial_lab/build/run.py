"""Running a build tool, with its output kept for the day it fails."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from seatrial_lab.errors import BuildFailed


def run(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a tool to its end and return what it printed; raise BuildFailed with its last lines if it fails."""
    done = subprocess.run(
        [str(a) for a in argv],
        check=False,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-15:])
        msg = f"{' '.join(str(a) for a in argv[:4])} ... ended with status {done.returncode}:\n{tail}"
        raise BuildFailed(msg)
    return done.stdout
