"""How lines are laid out: broken between words on a terminal, never in a pipe, where a line is what a program reads."""

from __future__ import annotations

import re

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

_WORD = re.compile(r"\S+\s*")


def put(console: Console, text: Text, *, label: Text | None = None) -> None:
    """Print a text behind its label; further lines on a terminal begin below the first one's text."""
    before = label if label is not None else Text()
    indent = cell_len(before.plain)
    lines = wrapped(text, console.width - indent) if console.is_terminal else [text]
    for number, line in enumerate(lines):
        console.print((Text(" " * indent) if number else before) + line, soft_wrap=True)


def put_whole(console: Console, text: str, *, style: str = "") -> None:
    """Print something to copy, a command or a path: never broken, so that a terminal hands it back in one piece."""
    console.print(Text(text, style), soft_wrap=True)


def wrapped(text: Text, width: int) -> list[Text]:
    """Return the lines of a text that is broken between words; a word that is longer than a line is left whole."""
    offsets: list[int] = []
    used = 0
    for match in _WORD.finditer(text.plain):
        if used and used + cell_len(match[0].rstrip()) > width:
            offsets.append(match.start())
            used = 0
        used += cell_len(match[0])
    lines = list(text.divide(offsets)) if offsets else [text.copy()]
    for line in lines:
        line.rstrip()
    return lines
