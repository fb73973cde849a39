"""The output of another process, cleaned on its way into a file of the run."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from typing import IO, cast

from seatrial.journal.stream import Log, Stream, clean_file
from seatrial.model.known import REMOVED

KEY = "-----BEGIN PRIVATE KEY-----\nMIIEow\nabc+/=\n-----END PRIVATE KEY-----\n"


def test_what_a_process_prints_is_cleaned_line_by_line(tmp_path: Path) -> None:
    """A password in a traceback, a key over several lines; everything else is there, in order."""
    said = f"first\nrabbit://nova:Tr0ub4dor@rabbitmq:5671/\n{KEY}last without an end"
    process = subprocess.Popen([sys.executable, "-c", f"print({said!r}, end='')"], stdout=subprocess.PIPE)
    log = Log(cast("IO[bytes]", process.stdout), tmp_path / "locust.log")
    process.wait(20)
    log.close(20)
    text = (tmp_path / "locust.log").read_text()
    assert text == f"first\nrabbit://nova:{REMOVED}@rabbitmq:5671/\n{REMOVED}\n\nlast without an end"
    assert stat.S_IMODE((tmp_path / "locust.log").stat().st_mode) == 0o600


def test_a_key_that_was_cut_off_does_not_eat_the_rest() -> None:
    """After as many lines as the longest key has, what follows is something else."""
    stream = Stream()
    stream.clean("-----BEGIN PRIVATE KEY-----\n")
    assert "".join(stream.clean("a line\n") for _ in range(200)) == ""
    assert stream.clean("something else\n") == "something else\n"


def test_a_log_that_another_process_wrote_is_cleaned_afterwards(tmp_path: Path) -> None:
    """One that holds nothing to remove is not touched."""
    log = tmp_path / "pytest.log"
    log.write_text(f"a\n{KEY}password=Tr0ub4dor\n")
    clean_file(log)
    assert log.read_text() == f"a\n{REMOVED}\n\npassword={REMOVED}\n"
    before = log.stat().st_mtime_ns
    clean_file(log)
    assert log.stat().st_mtime_ns == before
