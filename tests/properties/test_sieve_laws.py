"""Laws of the sieve: nothing known to be secret gets through, and nothing else is lost or bent."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from seatrial.journal import shapes
from seatrial.journal.printable import SHOWN_AS, printable
from seatrial.journal.sieve import Sieve, shown
from seatrial.model.known import REMOVED, Known, cut
from seatrial.model.observation import Json
from seatrial.model.target import Secret

# Words that the patterns know, so that texts come close to them, and on both sides of them.
NAMING = ("password", "passwd", "PASS", "token", "secret", "clientSecret", "osp-secret", "OS_PASSWORD", "api_key")
SIGNS = ("=", ":", "=>", '"', "'", "\\", '\\"', "{", "}", "[", "]", ",", ";", "&", "@", "*", "is", "key", "-p")
BEFORE = ("add_user", "nova", "mysql", "sshpass", "curl", "-u", "a:b", "identified", "by", "bearer", "Basic", "fernet")
LIKE = ("rabbit://", "u:p@h", ",u:p@h", "http://h:80/", "$6$", "gAAAA", "eyJ", "AKIA", "sha256~", "/etc/pki/tls")
KEYLIKE = ("-----BEGIN CERTIFICATE-----", "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----")
OTHER = ("null", "missing", "Tr0ub4dor-3", "keystone", "removed", "[removed", "--password", REMOVED)
WORDS = st.sampled_from(NAMING + SIGNS + BEFORE + LIKE + KEYLIKE + OTHER)
SPACES = st.sampled_from(["", " ", "  ", "\n", "\t"])
SENTENCES = st.lists(st.tuples(WORDS | st.text(max_size=5), SPACES), max_size=12).map(
    lambda parts: "".join(word + space for word, space in parts)
)
TEXTS = SENTENCES | st.text()
KEYS = WORDS | st.text(max_size=6)
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
SECRETS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]"), min_size=6, max_size=30).filter(
    lambda text: bool(Known([text]).forms) and text == text.strip() and text not in REMOVED
)
NOTHING_KNOWN = Sieve(Known())


@given(TEXTS)
@settings(max_examples=300)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    """What one place has cleaned, another leaves as it is."""
    once = NOTHING_KNOWN.clean(text)
    assert NOTHING_KNOWN.clean(once) == once


@given(TEXTS)
@settings(max_examples=300)
def test_the_quick_look_misses_nothing(text: str) -> None:
    """Where it sees no trigger, no pattern finds anything."""
    if not shapes.may_hold(text):
        assert shapes.without_named(shapes.without_shapes(text)) == text


@given(VALUES, st.lists(SECRETS, max_size=2))
@settings(max_examples=200)
def test_a_line_that_passes_holds_nothing_to_remove(value: Json, secrets: list[str]) -> None:
    """The writer of the journal looks at the finished line only; that must not let anything through."""
    for data in (value, [value, *secrets]):
        sieve = Sieve(Known(secrets))
        if sieve.passes(json.dumps(data)):
            assert sieve.clean_json(data) == data


def without_marks(text: str) -> str:
    return text.replace(REMOVED, "\0")


@given(SECRETS, TEXTS, TEXTS, st.sampled_from([str, repr, json.dumps, lambda s: quote(s, safe=""), lambda s: f"x{s}y"]))
@settings(max_examples=300)
@example(secret="Tr0ub4dor-and-3", before="", after="", form=str)
def test_no_known_secret_is_left_in_a_text(secret: str, before: str, after: str, form: object) -> None:
    """Wherever it stands and however it is written: plain, quoted, in JSON, in a URL."""
    text = before + form(secret) + after  # type: ignore[operator]
    left = without_marks(Sieve(Known([secret])).clean(text))
    assert secret not in left
    assert form(secret) not in left or form(secret) == secret  # type: ignore[operator]


@given(
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=9),
    st.binary(max_size=9),
    st.binary(max_size=9),
)
def test_no_known_secret_is_left_in_base64(secret: str, before: bytes, after: bytes) -> None:
    """Also where it is a part of what was encoded, as in the Authorization of a user with a password."""
    assume(Known([secret]).forms)
    text = base64.b64encode(before + secret.encode() + after).decode()
    cleaned = Sieve(Known([secret])).clean(text)
    assert REMOVED in cleaned
    assert len(without_marks(cleaned)) < len(text)


@given(SECRETS, VALUES, KEYS)
@settings(max_examples=200)
def test_no_known_secret_is_left_in_json(secret: str, value: Json, key: str) -> None:
    """Under any key, as a key, at any depth; and what comes out is JSON of the same shape."""
    data: Json = {
        key: [secret, value],
        f"a {secret}": {secret: 1},
        "deep": [[{"x": f"b{secret}c"}]],
        "number": 12345678,
    }
    cleaned = Sieve(Known([secret])).clean_json(data)
    assert secret not in without_marks("\n".join(texts(cleaned)))
    assert shape(json.loads(json.dumps(cleaned))) == shape(data)
    assert Sieve(Known([secret])).clean_json(cleaned) == cleaned


def texts(value: Json) -> list[str]:
    """Every text in a value, keys too."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *texts(item))]
    return [text for item in value for text in texts(item)] if isinstance(value, list) else []


def shape(value: Json) -> object:
    """A value with its texts left out."""
    if isinstance(value, dict):
        return [shape(item) for item in value.values()]
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "" if isinstance(value, str) else value


@given(st.lists(SECRETS, min_size=2, max_size=5))
def test_lines_of_a_secret_are_secrets(lines: list[str]) -> None:
    """A private key or a file of configuration is known by its lines too, where they are no words of a language."""
    made = [re.sub(r"\W", "x", line) + "0123456789abcdef" for line in lines]
    known = Known(["\n".join(made)])
    for line in made:
        assert REMOVED in Sieve(known).clean(f"in front {line} behind")


@given(st.text())
@settings(max_examples=300)
@example("\x1b]0;pwned\x07\x1b[2J")
@example("\x9b31m\x9d8;;http://x\x9c\u202egnp.exe")
@example("\ud800")
def test_what_is_shown_controls_nothing(text: str) -> None:
    """No escape, no control character but tab and line feed, no override of direction; and it can be encoded."""
    cleaned = shown(text)
    assert not re.search("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]", cleaned)
    cleaned.encode()
    assert shown(cleaned) == cleaned


def test_a_control_sequence_is_one_mark() -> None:
    """A title, a colour, a cleared screen: each is replaced whole, nothing of it reads as text."""
    assert (
        printable("a\x1b]0;pwned\x07b\x1b[2Jc\x1b[1;31md\r\ne\x9b0mf")
        == f"a{SHOWN_AS}b{SHOWN_AS}c{SHOWN_AS}d\ne{SHOWN_AS}f"
    )


def test_an_escape_does_not_hide_a_secret() -> None:
    """What reads as a password once its colours are gone is treated as one."""
    assert "hunter2secret" not in shown("password=\x1b[31mhunter2secret\x1b[0m")


@given(st.integers(0, 60), st.text("ab ", max_size=30))
def test_a_text_that_is_cut_holds_no_half_of_a_secret(most: int, before: str) -> None:
    """Half of a secret would not be found any more by who writes it down."""
    Secret("cut-secret-0123456789")
    text = f"{before}cut-secret-0123456789 and more"
    left = cut(text, most)
    assert len(left) <= most or left == text
    assert left == text or "cut-" not in left
