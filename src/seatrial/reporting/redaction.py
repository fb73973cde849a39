"""The last sieve before anything leaves for people: texts that look like secrets are removed.

Values come from the journal, which holds none on purpose; this catches what a deployment printed in an error of its
own. It is a net, not a proof: the test that greps a whole run folder for every secret of the lab is the proof.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from seatrial.model.observation import Json

REMOVED = "[removed: looked like a secret]"

# Shapes that are secrets wherever they stand, also inside escaped HTML or JSON.
_SHAPES = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:.*?-----END [A-Z0-9 ]*PRIVATE KEY-----|[^<]*)"  # whole, or cut off
    r"|\bLS0tLS1CRUdJTi(?!BDRVJU)[A-Za-z0-9+/]{20,}={0,2}"  # the same in base64, as kubeconfigs have it
    r"|\bgAAAA[A-Za-z0-9_-]{20,}={0,2}"  # fernet: Keystone's tokens and credentials
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # JSON web token: service accounts
    r"|(?<=://)[^\s/:@<>\"']+:[^\s/@<>\"']+(?=@)",  # user and password of a URL
    re.DOTALL,
)
_NAMED = re.compile(
    r"(?P<name>\b[\w.-]*(?:passw(?:or)?d|passphrase|pwd|token|api[_-]?key|access[_-]?key|private[_-]?key|cookie)"
    r"(?:[_-]?data)?|\b[\w.-]*secret(?=\s*=))"
    r"(?P<sign>\\?[\"']?\s*(?:[=:]|=>)\s*(?:Bearer\s+|Basic\s+)?\\?[\"']?)"
    r"(?P<value>[^\s\"'\\&,;<>\[\](){}]{6,})"
    r"|(?P<verb>\b(?:identified\s+by|bearer|basic)\s+(?:password\s+)?[\"']?)(?P<what>[^\s\"'<>]{8,})"
    r"|(?P<client>\bmysql\w*\b[^\n]{0,200}?\s-p)(?P<given>[^\s-]\S{3,})",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"(?:passw(?:or)?d|passphrase|pwd|token|api_?key|access_?key|private_?key|client_?secret|client_?key_?data|cookie)$",
    re.IGNORECASE,
)
_PLAIN_WORDS = frozenset(("removed", "redacted", "<secret>", "accepted", "rejected", "missing", "required"))


def clean(text: str) -> str:
    """Return the text without what looks like a password, a token or a private key."""
    return _NAMED.sub(_without_value, clean_shapes(text))


def clean_shapes(text: str) -> str:
    """Return the text without what is a secret by its shape alone; safe on finished HTML, XML and JSON."""
    return _SHAPES.sub(REMOVED, text)


def clean_json(value: Json) -> Json:
    """Return the value with every text cleaned, and every text under a key that names a secret removed."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {
            clean(key): REMOVED if isinstance(item, str) and item and _KEY.search(key) else clean_json(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [clean_json(item) for item in value]
    return value


def _without_value(match: re.Match[str]) -> str:
    found = match["value"] or match["what"] or match["given"]
    if found.lower().strip(".:") in _PLAIN_WORDS:
        return match[0]
    if match["verb"]:
        return match["verb"] + REMOVED
    if match["client"]:
        return match["client"] + REMOVED
    return match["name"] + match["sign"] + REMOVED
