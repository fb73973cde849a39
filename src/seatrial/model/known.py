"""Which texts this process knows to be secret, in every form in which a program may print them.

``target.Secret`` tells it whatever it is made of; the sieve (``journal.sieve``) keeps those texts out of everything
that is written. Nothing here is ever stored or printed.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterable, Iterator
from urllib.parse import quote

REMOVED = "[removed: looked like a secret]"
SHORTEST = 6
"""Shorter texts are not looked for: they would be found in half of all words."""
_SHORTEST_NUMBER = 8
_SHORTEST_LINE = 16
_SHORTEST_PIECE = 8
# What a test deployment may have as password ("openstack"), and what is also the name of half of its objects.
_NAME = re.compile(r"[a-z]+(?:[._-][a-z]+)*")
_LONGEST_NAME = 16
_USERINFO = re.compile(r"(?:(?<=://)|(?<=,))[^\s/:@,]*:(?P<password>[^\s]*?)@(?![^\s/,]*@)")
_ASSIGNED = re.compile(r"[\w.-]+\s*[:=]\s*(?P<value>\S.*)")
_ASSIGNED_SECRET = re.compile(r"[\w.-]*(?:pass|pwd|secret|key(?!stone)|token|cred)[\w.-]*\s*[:=].*", re.IGNORECASE)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class Known:
    """Texts that are secret. Threads may share it."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self._forms: tuple[str, ...] = ()
        for text in texts:
            self.tell(text)

    def tell(self, text: str) -> None:
        """Take a text as secret from now on: whole, line by line, and the passwords of URLs in it.

        Not taken: what is shorter than 6 characters (a number: 8), and what may as well be a name (up to 16 lower-case
        letters such as ``openstack``): its key gives it away, and elsewhere it would erase the names of things.
        """
        if text in self._told:
            return
        found = {form for part in _parts(text) for form in _forms(part)}
        with self._lock:
            self._told.add(text)
            # The longest first: one that holds another is to be found whole.
            self._forms = tuple(sorted(found.union(self._forms), key=lambda form: (-len(form), form)))

    def taken_out_of(self, text: str) -> str:
        """Return the text with a mark in place of each known secret; a mark that stands there already is kept."""
        present = [form for form in self._forms if form in text]
        if not present:
            return text
        return re.sub("|".join(map(re.escape, (REMOVED, *present))), REMOVED, text)

    @property
    def forms(self) -> tuple[str, ...]:
        """Return every text to look for, the longest first."""
        return self._forms


def _parts(text: str) -> Iterator[str]:
    """Yield what of a text is worth looking for."""
    whole = text.strip()
    if _tells(whole):
        yield whole
    for match in _USERINFO.finditer(whole):
        if _tells(match["password"]):
            yield match["password"]
    lines = _CERTIFICATE.sub("", whole).splitlines()
    for line in lines if len(lines) > 1 else ():
        assigned = _ASSIGNED.fullmatch(line.strip())
        if assigned and not _ASSIGNED_SECRET.fullmatch(line.strip()):
            continue  # a setting that names hosts, sizes, addresses
        value = (assigned["value"] if assigned else line).strip().strip("\"'")
        if len(value) >= _SHORTEST_LINE and " " not in value and _is_made(value):
            yield value


def _tells(text: str) -> bool:
    if text.isdigit():
        return len(text) >= _SHORTEST_NUMBER
    return len(text) >= SHORTEST and not (len(text) <= _LONGEST_NAME and _NAME.fullmatch(text))


def _is_made(text: str) -> bool:
    """Tell whether a line looks made by chance rather than written by a person."""
    return any(letter.isdigit() for letter in text) and any(letter.isalpha() for letter in text)


def _forms(text: str) -> Iterator[str]:
    """Yield a secret as it stands, in JSON, in a URL, and in base64, also as a part of something longer."""
    yield text
    yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1])
    for quoted in (quote(text, safe="", errors="replace"), quote(text, errors="replace")):
        yield from (quoted, quoted.replace("%20", "+"))
    raw = text.encode("utf-8", "surrogatepass")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # Six bits a letter: a letter that also holds bits of what stands before or after is left out.
            first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
            piece = encode(b"\0" * before + raw).decode()[first:last]
            if len(piece) >= _SHORTEST_PIECE:
                yield piece


KNOWN = Known()
"""What this process knows."""


def cut(text: str, most: int) -> str:
    """Return at most so much of a text's beginning; a known secret is taken out before: half of one is not found."""
    return KNOWN.taken_out_of(text)[:most] if len(text) > most else text
