"""Texts of a deployment on a terminal or a page: nothing in them can move a cursor, hide a line or turn it around."""

from __future__ import annotations

import re

SHOWN_AS = "\N{REPLACEMENT CHARACTER}"
_ESCAPED = (
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"  # OSC: titles, links, the clipboard
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c\n]*(?:\x1b\\|\x9c)"  # DCS, SOS, PM, APC
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor, erasing
    r"|\x1b[ -/]*[0-~]"  # other escapes
)
_SINGLE = (
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and line feed, DEL, C1
    r"\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"  # direction and its overrides, other line ends
    r"\ud800-\udfff\ufffe\uffff]"  # what no file can hold
)
_CONTROL = re.compile(f"{_ESCAPED}|{_SINGLE}")


def printable(text: str) -> str:
    """Return the text with each control sequence and character shown as one replacement character."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub(SHOWN_AS, text.replace("\r\n", "\n"))
