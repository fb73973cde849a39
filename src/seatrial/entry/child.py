"""Runs a suite with pytest in a process of its own, watched through its journal, ended in good order with this one."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import seatrial
from seatrial.engine import ending
from seatrial.entry import refusal
from seatrial.entry.refusal import Refusal, Refused
from seatrial.journal.folder import RunFolder, open_private
from seatrial.journal.reader import follow
from seatrial.journal.stream import clean_file
from seatrial.model.errors import BadInput, HarnessBug, Problem
from seatrial.model.journal import Event

_LOOK_EVERY_S = 0.2
_INTERNAL_ERROR = 3
"""Of pytest's exit codes; pytest itself is imported by the child alone."""
_SUITES = Path("suites/test_suites.py")
_PLAIN = (
    *("-p", "pytest-bdd", "-p", "seatrial", "-p", "no:cacheprovider"),
    *("--tb", "short", "-W", "default", "-c", os.devnull),
)
"""The suites run alike everywhere: with these plugins alone, without the settings of the folder that they lie in."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the child ended: its own status, and why it refused to begin, if it did."""

    status: int
    refusal: Refusal | None

    @property
    def failed(self) -> bool:
        """Tell whether pytest, or a hook of ours in it, broke down."""
        return self.status == _INTERNAL_ERROR


def suites_root() -> Path:
    """Return the folder with features, steps and suites: the checkout one stands in, else what was installed."""
    package = Path(seatrial.__file__).parent
    for root in (Path.cwd(), package / "_shipped", package.parent.parent):
        if (root / _SUITES).is_file() and (root / "features").is_dir():
            return root
    raise BadInput([Problem("suite", f"no {_SUITES} here or in the installed package", "a whole installation")])


def run(
    suite: str,
    options: Sequence[str],
    folder: RunFolder,
    *,
    hear: Callable[[Event | None], None],
    tell: Callable[[str], None],
) -> Ended:
    """Run a suite to its end; ``hear`` gets each event of its journal, and None regularly while nothing happens.

    Ctrl-C asks it to end in good order (what it broke is taken back), a second one tells what is still open, a third
    ends both processes as they are. If this process dies the child notices, and ends in good order by itself.
    """
    root = suites_root()
    read_end, write_end = os.pipe()
    refused = folder.evidence / "refusal.json"
    command = [
        *_pytest(root, suite),
        *("--run-dir", str(folder.path.resolve()), "--lifeline", str(read_end)),
        *("--refusal-file", str(refused.resolve()), *options),
    ]
    said = folder.evidence / "pytest.log"
    with open_private(said, anew=True) as log:
        process = subprocess.Popen(
            command,
            cwd=root,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(read_end,),
            start_new_session=True,
            umask=0o077,
        )
        os.close(read_end)
        try:
            status = _attend(process, folder, hear, tell)
        finally:
            os.close(write_end)
    with contextlib.suppress(OSError):
        # What pytest says is cleaned as it is said; this is for what the interpreter may have added.
        clean_file(said)
    left = refusal.read(refused)
    refused.unlink(missing_ok=True)
    return Ended(status, left)


def _attend(
    process: subprocess.Popen[bytes],
    folder: RunFolder,
    hear: Callable[[Event | None], None],
    tell: Callable[[str], None],
) -> int:
    offset, status = 0, process.poll()
    # The child is asked once: it hears for itself of a signal that is meant for all processes.
    with ending.heard(still_open=lambda: _still_open(folder), tell=tell, at_last=process.kill):
        while status is None:
            try:
                time.sleep(_LOOK_EVERY_S)
                status = process.poll()
                events, offset = follow(folder.journal, offset)
                for event in events:
                    hear(event)
                hear(None)
            except KeyboardInterrupt:
                tell("ending in good order: what was broken is taken back")
                process.terminate()
    events, _ = follow(folder.journal, offset)
    for event in events:
        hear(event)
    return status


def _still_open(folder: RunFolder) -> list[str]:
    from seatrial.engine.undo import describe, left_behind  # noqa: PLC0415  (it imports what contacts a platform)

    try:
        return [describe(injection) for injection in left_behind(folder).injections]
    except OSError:
        return []


@dataclass(frozen=True, slots=True)
class Collected:
    """What a suite would run, and what it would leave out and why; each as plain data."""

    scenarios: list[dict[str, Any]]
    not_tried: list[dict[str, Any]]


def collect(suite: str, options: Sequence[str]) -> Collected:
    """Return what a suite would run, as pytest collects it; raises Refused with what is wrong with the selection."""
    root = suites_root()
    with tempfile.TemporaryDirectory(prefix="seatrial-") as place:
        plan, refused = Path(place) / "plan.json", Path(place) / "refusal.json"
        command = [
            *_pytest(root, suite),
            *("--collect-only", "-q", "--plan-file", str(plan), "--refusal-file", str(refused), *options),
        ]
        done = subprocess.run(command, cwd=root, env=_environment(), capture_output=True, text=True, check=False)
        left = refusal.read(refused)
        if left is not None:
            raise Refused(left)
        if not plan.exists():
            raise HarnessBug(f"the suites could not be collected:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return Collected(**json.loads(plan.read_text(encoding="utf-8")))


def _pytest(root: Path, suite: str) -> tuple[str, ...]:
    """Return the command that runs a suite, wherever it lies and whatever else is installed."""
    where = ("--rootdir", str(root), "--confcutdir", str(root))
    return (sys.executable, "-m", "pytest", str(root / _SUITES), *_PLAIN, *where, "--suite", suite)


def _environment() -> dict[str, str]:
    """Return our own environment without what would change how pytest runs: no plugin comes by itself."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")}
    return {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
