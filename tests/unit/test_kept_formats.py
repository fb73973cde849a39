"""Every format that a version has ever written is judged and undone by this one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from seatrial.engine.judging import judge_again
from seatrial.engine.undo import left_behind, undo_run
from seatrial.journal.folder import RunFolder
from seatrial.model.errors import BadInput
from seatrial.model.run import FORMAT
from tests.fake.clock import installed
from tests.fake.platform import SPACE, Deployment, Platform

KEPT = sorted((Path(__file__).parents[1] / "data").glob("format-*"))


@pytest.fixture(params=KEPT, ids=lambda path: path.name)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> RunFolder:
    """A copy of a run that is kept, for it stays as it was written."""
    return RunFolder(Path(shutil.copytree(request.param, tmp_path / "run")))


def test_this_format_is_kept() -> None:
    """Whoever changes it keeps the one before, and makes a new one beside it."""
    assert f"format-{FORMAT}" in [path.name for path in KEPT]


def test_a_kept_run_is_judged(kept: RunFolder) -> None:
    """From its files alone, with this version's checks."""
    [verdict] = judge_again(kept).verdicts
    assert verdict.requirement == "DB-4"


def test_what_a_kept_run_left_is_taken_back(kept: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of that version, on the deployment that the journal names."""
    behind = left_behind(kept)
    assert len(behind.injections) > 10
    assert behind.problems == ()
    platform = Platform(installed(monkeypatch))
    where = behind.injections[0].deployment
    platform.objects["Namespace", None, "kube-system"]["metadata"]["uid"] = where["cluster"]
    platform.objects["OpenStackControlPlane", SPACE, "openstack"]["metadata"]["uid"] = where["control_plane"]
    deployment: Any = Deployment(platform)
    assert [undone.failure for undone in undo_run(kept, deployment) if undone.failure] == []
    assert left_behind(kept).injections == ()


def test_a_later_format_is_not_judged_and_is_undone(kept: RunFolder) -> None:
    """Judging reads strictly; undo takes what it understands."""
    kept.run_json.write_text(kept.run_json.read_text().replace('"format": 1', '"format": 999'))
    with pytest.raises(BadInput, match="999"):
        judge_again(kept)
    assert left_behind(kept).injections
