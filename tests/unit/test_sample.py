"""The sample that people see who cannot host a lab: one real run, which can be judged and told again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from seatrial.entry.cli import main
from seatrial.reporting import verify

SAMPLE = Path(__file__).parents[2] / "reports/sample"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A copy of it, for the committed one stays as it is."""
    return Path(shutil.copytree(SAMPLE, tmp_path / "sample"))


def test_judging_the_sample_again_gives_its_verdicts(sample: Path) -> None:
    """Offline, from the stored evidence alone."""
    before = json.loads((sample / "run.json").read_text())["verdicts"]
    assert main(["judge", str(sample)]) == 0
    after = json.loads((sample / "run.json").read_text())["verdicts"]
    assert {v["requirement"]: v["outcome"] for v in after} == {v["requirement"]: v["outcome"] for v in before}
    assert len(after) == 9


def test_the_sample_is_whole_and_can_be_told_again(sample: Path) -> None:
    """Its manifest holds, and its page can be written anew."""
    assert not verify(sample)
    assert main(["report", str(sample)]) == 0
    assert (sample / "report.html").stat().st_size > 100_000
    assert not verify(sample)
