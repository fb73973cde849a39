"""What is built is kept by content, and a build that was cut short is begun anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial_lab.build import store
from seatrial_lab.build.run import run
from seatrial_lab.errors import BuildFailed


def test_a_complete_entry_is_not_built_again(tmp_path: Path) -> None:
    """The second build does nothing."""
    folder = tmp_path / "kind-aaaa"
    assert store.build_once(folder, lambda into: (into / "file").touch())
    assert not store.build_once(folder, lambda into: pytest.fail("built twice"))


def test_a_build_that_was_cut_short_is_begun_anew(tmp_path: Path) -> None:
    """What a killed build left is not taken for the whole."""
    folder = tmp_path / "kind-aaaa"
    folder.mkdir()
    (folder / "half").touch()
    store.build_once(folder, lambda into: (into / "whole").touch())
    assert not (folder / "half").exists()
    assert (folder / "whole").exists()


def test_a_failed_build_leaves_no_complete_entry(tmp_path: Path) -> None:
    """A tool's failure says its last words, and the entry stays incomplete."""
    folder = tmp_path / "kind-aaaa"

    def fail(_: Path) -> None:
        run(["sh", "-c", "echo what went wrong; exit 7"])

    with pytest.raises(BuildFailed, match=r"status 7:\nwhat went wrong"):
        store.build_once(folder, fail)
    assert not store.is_built(folder)


def test_keys_follow_content(tmp_path: Path) -> None:
    """Another content gives another key; the order and the boundaries of parts matter."""
    file = tmp_path / "file"
    file.write_text("one")
    first = store.key_of([file, "x"])
    assert first == store.key_of([file, "x"])
    file.write_text("two")
    assert first != store.key_of([file, "x"])
    assert store.key_of(["ab", "c"]) != store.key_of(["a", "bc"])


def test_old_entries_of_the_same_kind_are_forgotten(tmp_path: Path) -> None:
    """The cache holds the newest two of a kind, and leaves other kinds alone."""
    for name in ("kind-1", "kind-2", "kind-3", "other-1"):
        store.build_once(tmp_path / name, lambda into: None)
    assert {p.name for p in tmp_path.iterdir()} >= {"kind-3", "other-1"}
    assert len(list(tmp_path.glob("kind-*"))) == 2
