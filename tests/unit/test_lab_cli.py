"""The lab's command line, as others use it."""

from __future__ import annotations

import os
import subprocess
import sys


def test_a_reader_who_leaves_early_meets_no_traceback() -> None:
    """As in `seatrial-lab break | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        argv = [sys.executable, "-m", "seatrial_lab", "break"]
        done = subprocess.run(argv, check=False, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    finally:
        os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 141
