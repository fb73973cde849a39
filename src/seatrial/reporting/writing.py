"""Writes what a stored run has to say: for people, for CI, for a signature."""

from __future__ import annotations

import itertools
from pathlib import Path

from rich.console import Console

from seatrial.catalogue.loader import catalogue
from seatrial.checks.edges import classify
from seatrial.journal.folder import RunFolder, save_text
from seatrial.model.errors import BadInput
from seatrial.model.run import Run
from seatrial.reporting.junit import junit
from seatrial.reporting.page import page
from seatrial.reporting.sign_off import sign_off
from seatrial.reporting.story import Story
from seatrial.reporting.telling import tell
from seatrial.reporting.terminal import close, close_bare
from seatrial.reporting.wiring import Wiring, wire


def write_all(folder: Path) -> None:
    """Write report.html, junit.xml and sign-off.md into a run's folder, from its stored files alone.

    Writing again gives the same files; nothing that was observed is changed, and no document that somebody may have
    signed: one that says something else gets the next number. Raises BadInput for a folder that holds no run, or one
    that was damaged before the last line of its journal.
    """
    stored = RunFolder.open(folder)
    story, wiring = read(folder)
    save_text(stored.html, page(story, wiring))
    save_text(stored.junit, junit(story))
    sources = (stored.run_json, stored.journal, *stored.inventories())
    save_document(stored.sign_off, sign_off(story, wiring, sources))


def save_document(path: Path, text: str) -> Path:
    """Store a document beside all that were written before it, and return where: none is ever overwritten."""
    numbered = (path if number == 1 else path.with_stem(f"{path.stem}-{number}") for number in itertools.count(1))
    place = next(one for one in numbered if not one.exists() or one.read_bytes() == text.encode())
    if not place.exists():
        save_text(place, text)
    return place


def read(folder: Path, run: Run | None = None) -> tuple[Story, Wiring]:
    """Return what a stored run has to say, and its connection map; raises BadInput as ``write_all`` does."""
    story = tell(RunFolder.open(folder), {requirement.id: requirement for requirement in catalogue()}, run)
    return story, wire(story.censuses, story.inventory, classify, accused=story.accused())


def show(folder: Path, console: Console, *, run: Run | None = None) -> None:
    """Print a stored run's end, as every command does; ``run``: as it was judged again.

    A journal alone is enough to say what is still in the deployment.
    """
    try:
        story, wiring = read(folder, run)
    except BadInput as error:
        close_bare(console, folder, error)
    else:
        close(console, story, wiring, folder)
