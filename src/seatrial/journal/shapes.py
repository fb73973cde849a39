"""What secrets look like, and what stands before them. Only patterns: who applies them to what is the sieve's."""

from __future__ import annotations

import re

from seatrial.model.known import REMOVED

# Secrets wherever they stand, also inside escaped HTML or JSON.
_SHAPES = re.compile(
    # A private key, whole or cut off.
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:.*?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|(?:[A-Za-z0-9+/=\s:,-]|\\+[nrt])*)"
    r"|\bLS0tLS1CRUdJTi(?!BDRVJU)[A-Za-z0-9+/]{20,}={0,2}"  # the same in base64, as kubeconfigs have it
    r"|\bgAAAA[A-Za-z0-9_-]{20,}={0,2}"  # fernet: Keystone's tokens and credentials
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # JSON web token: service accounts
    r"|\bsha256~[A-Za-z0-9_-]{20,}"  # OpenShift's tokens
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"  # access keys as AWS, Swift and RGW make them
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bglpat-[A-Za-z0-9_-]{16,}"
    r"|\$(?:1|2[aby]|5|6|y)\$[./A-Za-z0-9$=,]{20,}"  # hashes of crypt
    r"|\*[0-9A-F]{40}\b"  # hashes of MariaDB
    # The password of a URL: up to the last @ of its host; a slash in it if it is not the port that ends there.
    r"|(?P<user>(?:(?<=://)|(?<=,))(?<!,,)[^\s/:@,<>\"']*:)"
    r"(?!\d+[/?#]|[^\s/@]*@sha\d+:)[^\s<>\"'@\[]{1,200}(?:@[^\s<>\"'@/,]{1,100})*?(?=@(?![^\s<>\"'/,]*@))",
    re.DOTALL,
)

_QUOTED = r"(?P<{0}q>\\?[\"'])(?P<{0}quoted>(?:(?!(?P={0}q))[^\n]){{1,400}})"
_BARE = r"(?P<{0}bare>(?!\[removed)[^\s\"'\\,;&<>\[\](){{}}]{{3,}})"
_KEYED = r"(?:api|access|private|secret|encryption|auth|fernet|shared|signing|client)"
_NAMED = re.compile(
    # password: X, DB_PASS=X, {"adminPassword": "X"}, X-Auth-Token: X, memcache_secret_key = X
    r"(?P<name>passw(?:or)?d|passphrase|pwd|(?<![a-z])pass|token|cookie|credentials?|secret"
    rf"|{_KEYED}[_-]?key|(?<![a-z])key(?=\s*=))(?:[_-]?data)?"
    r"\\?[\"']?\s*(?:=>|[=:])\s*(?:(?:Bearer|Basic)\s+)?"
    rf"(?:{_QUOTED.format('a')}|{_BARE.format('a')})"
    # password is X, fernet key X, X-Subject-Token X
    rf"|(?P<said>(?:password|passphrase|secret|token|{_KEYED} keys?)\s+(?:is\s+)?)"
    rf"(?:{_QUOTED.format('b')}|{_BARE.format('b')})"
    # --password X, --os-token X
    r"|--[\w-]*(?:passw(?:or)?d|passphrase|pass|token|secret|(?:secret|access|api)-key)\s+"
    rf"(?:{_QUOTED.format('c')}|(?!-){_BARE.format('c')})"
    # sshpass -p X, mysql -pX
    rf"|\b(?:sshpass|mysql(?:admin|dump)?|mariadb(?:-admin|-dump)?)(?=\s)[^\n]{{0,200}}?\s-p\s*(?:{_QUOTED.format('d')}|(?!-){_BARE.format('d')})"
    # curl -u user:X
    rf"|\bcurl\b[^\n]{{0,200}}?\s(?:-u|--user)\s*[\"']?[^\s:\"']+:{_BARE.format('e')}"
    # rabbitmqctl add_user NAME X
    rf"|\b(?:add_user|change_password|authenticate_user)\s+(?:--\s+)?\S+\s+(?:{_QUOTED.format('f')}|{_BARE.format('f')})"
    # OS_PASSWORD X
    rf"|(?-i:\b[A-Z][A-Z0-9]*_(?:[A-Z0-9]+_)*(?:PASSWORD|PASSWD|PASS|PWD|SECRET|TOKEN))\s+{_BARE.format('g')}"
    # IDENTIFIED BY 'X', Bearer X
    rf"|\bidentified\s+by\s+(?:password\s+)?(?:{_QUOTED.format('h')}|{_BARE.format('h')})"
    rf"|(?P<scheme>\b(?:bearer|basic)\s+){_BARE.format('i')}",
    re.IGNORECASE | re.ASCII,
)
_KEY = re.compile(
    r"(?:passw(?:or)?d|passphrase|pwd|(?<![a-z])pass|token|cookie|credentials?"
    rf"|{_KEYED}[_-]?key)(?:[_-]?data)?$",
    re.IGNORECASE | re.ASCII,
)
_SECRET_KEY = re.compile(r"secret$", re.IGNORECASE | re.ASCII)
_NAMES_AN_OBJECT = re.compile(r"secret|\w*[a-z](?<!client)(?<!shared)(?<!app)(?<!api)Secret")
_OBJECT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?")
_SAYS_SECRET = re.compile(r"(?:[a-z0-9-]+/)?(?:[a-z0-9]+-)*secrets?(?:-[a-z0-9]+)*")
_SHORTEST_OF_A_KEY = 6
_PATH = re.compile(r"(?:/[\w.@-]+){2,}/?")
_VARIABLE = re.compile(r"\$(?:\w+|\{\w+\}|\(\w+\))")
"""``${DB_PASSWORD}``: where a shell or Kubernetes will put a secret."""
_NONE = frozenset(("yes", "no", "true", "false", "none", "null", "unset", "hidden", "masked", "redacted", "<secret>"))
"""Under a key that names a secret, no secret."""
_WORDS = (
    *("a", "again", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "do", "does", "for", "from"),
    *(
        "has",
        "have",
        "in",
        "is",
        "it",
        "its",
        "must",
        "needed",
        "never",
        "not",
        "of",
        "off",
        "on",
        "only",
        "or",
        "past",
    ),
    *("past", "same", "should", "than", "that", "the", "them", "this", "to", "too", "until", "used", "was", "were"),
    *("when", "which", "whose", "will", "with", "without", "you", "your", "cannot", "accepted", "changed", "correct"),
    *("denied", "empty", "different", "expired", "failed", "found", "given", "incorrect", "invalid", "kept", "known"),
    *("missing", "refused", "rejected", "removed", "required", "reset", "rotated", "set", "shown", "stored"),
    *("unknown", "wrong"),
)
_PLAIN = _NONE.union(_WORDS)
"""In a sentence about a secret, no secret."""
_TRIGGERS = (
    *("pass", "pwd", "token", "secret", "cookie", "credential", "identified", "bearer", "basic", "curl", "~", "$", "*"),
    *("add_user", "authenticate_user", "ls0tls1crudjti", "gaaaa", "eyj", "akia", "asia", "glpat-"),
)
"""In lower case; each pattern has one of them, or what ``may_hold`` looks for besides."""
_TOKEN_OF_GITHUB = re.compile("gh[pousr]_")


def may_hold(text: str) -> bool:
    """Tell whether one of the patterns can be found at all: a quick look that spares the slow one."""
    lowered = text.lower()
    for trigger in _TRIGGERS:
        if trigger in lowered:
            return True
    return bool(
        ("@" in text and ":" in text)
        or ("key" in lowered and "key" in lowered.replace("keystone", ""))
        or ("-p" in lowered and ("mysql" in lowered or "mariadb" in lowered))
        or _TOKEN_OF_GITHUB.search(text)
    )


def without_shapes(text: str) -> str:
    """Return the text without what is a secret by its shape alone; safe on finished HTML, XML and JSON."""
    return _SHAPES.sub(lambda match: (match["user"] or "") + REMOVED, text)


def without_named(text: str) -> str:
    """Return the text without what is a secret by what stands before it."""
    return _NAMED.sub(_without_value, text)


def names_secret(key: str) -> bool:
    """Tell whether a key, or an environment variable, names a secret and not an object that holds one."""
    return bool(_KEY.search(key)) or (bool(_SECRET_KEY.search(key)) and not _NAMES_AN_OBJECT.fullmatch(key))


def is_secret(key: str, value: str) -> bool:
    """Tell whether the text under a key is a secret."""
    if not value or value.lower() in _NONE or _PATH.fullmatch(value) or _VARIABLE.fullmatch(value):
        return False
    if _SECRET_KEY.search(key) and _NAMES_AN_OBJECT.fullmatch(key):
        return not _OBJECT_NAME.fullmatch(value)
    return names_secret(key)


def _without_value(match: re.Match[str]) -> str:
    kind, span = next((name, span) for name in _GROUPS if (span := match.span(name)) != (-1, -1))
    value = match.string[slice(*span)]
    if _stays(match, kind, value):
        return match[0]
    start, end = match.span()
    return match.string[start : span[0]] + REMOVED + match.string[span[1] : end]


_GROUPS = [name for name in _NAMED.groupindex if name.endswith(("quoted", "bare"))]


def _stays(match: re.Match[str], kind: str, value: str) -> bool:
    """Tell whether what stands where a secret would stand is none."""
    if value.lower().strip(".:!") in _PLAIN or value.startswith("[removed") or _VARIABLE.fullmatch(value):
        return True
    name = (match["name"] or "").lower()
    if name == "secret":
        before = match.string[: match.end("name")]
        named = re.search(r"[\w.-]*$", before)
        camel = named is not None and _NAMES_AN_OBJECT.fullmatch(named[0]) and named[0].lower() != "secret"
        return bool(_SAYS_SECRET.fullmatch(value) or (camel and "-" in value and _OBJECT_NAME.fullmatch(value)))
    if name:
        return bool(_PATH.fullmatch(value)) or (name == "key" and len(value) < _SHORTEST_OF_A_KEY)
    if kind.startswith("d") and value.startswith("{"):
        return True  # kubectl patch configmap mysql -p '{...}'
    said = (match["said"] or "").lower().split()
    if said[-1:] == ["is"] and said[0].startswith("pass"):
        return False
    # In a sentence a word of the language follows as often as a secret.
    return bool(match["scheme"] or said or kind == "hbare") and not _is_made(value)


def _is_made(value: str) -> bool:
    """Tell whether a word looks made by a machine, or for one, rather than being one of a sentence."""
    inner = value.strip(".:,!?")
    return len(inner) >= 8 and (
        any(letter.isdigit() for letter in inner)
        or any(letter in "=+_~$%^*" for letter in inner)
        or (inner != inner.lower() and inner != inner.upper() and inner != inner.capitalize())
    )
