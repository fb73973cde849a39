"""Every command that README and docs name: what tests run, so that no reader meets one that does not work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
_PROGRAMS = "make|seatrial|seatrial-lab|pytest|chaos|locust|sha256sum|lint-imports"
_COMMAND = re.compile(rf"(?:\.venv/bin/)?(?:{_PROGRAMS}|scripts/[\w-]+)(?: .*)?")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_SHELL = ("", "sh", "bash", "console")
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_TO_A_FILE = re.compile(r"\s>\s.*$")


def commands() -> list[tuple[str, ...]]:
    """Return every command once, as words, without what is only the name of a program."""
    found: dict[tuple[str, ...], None] = {}
    for name in DOCUMENTS:
        text = (ROOT / name).read_text(encoding="utf-8")
        lines = [line for kind, block in _BLOCK.findall(text) if kind in _SHELL for line in block.splitlines()]
        lines += _INLINE.findall(_BLOCK.sub("", text))
        for line in lines:
            written = line.strip().removeprefix("$ ")
            if _COMMAND.fullmatch(written):
                words = shlex.split(_TO_A_FILE.sub("", written), comments=True)
                words[0] = words[0].removeprefix(".venv/bin/")
                if len(words) > 1 or "/" in words[0]:
                    found[tuple(words)] = None
    return list(found)


def given(words: tuple[str, ...], *, target: Path, run: Path) -> list[str]:
    """Return a command with real things in the place of names that stand for them."""
    meant = {
        "prod.yaml": str(target),
        "FILE": str(target),
        "$(seatrial-lab target --file)": str(target),
        "RUN": str(run),
        "reports/sample": str(run),
        "SUITE": "conformance",
        "NAME": "conformance",
        "chaos/NAME.yaml": "chaos/galera-pod-loss.yaml",
    }
    return [meant.get(word, word) for word in words]
