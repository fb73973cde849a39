"""What pytest says of a trial holds no secret and controls no terminal, wherever it comes from."""

from __future__ import annotations

import io
import secrets

import pytest

from seatrial.entry.guard import Guarded
from seatrial.journal.printable import SHOWN_AS as MARK
from seatrial.model.known import REMOVED
from seatrial.model.target import Secret

pytest_plugins = "pytester"
_TRIAL = ("-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:locust", "--target", "target.yaml")


@pytest.fixture
def secret() -> str:
    """A text that this process has read as a secret."""
    made = secrets.token_urlsafe(18)
    Secret(made)
    return made


def test_a_failure_shows_neither_arguments_nor_secrets_nor_escapes(pytester: pytest.Pytester, secret: str) -> None:
    """In the exception, in what was printed, in a frame's arguments: nothing of it is in pytest's output."""
    pytester.makepyfile(
        f'''
        import sys, warnings
        def query(pod, sql):
            print("printed", sql)
            sys.stderr.write(sql)
            warnings.warn("warned of " + sql)
            raise RuntimeError("refused: \\x1b]0;pwned\\x07" + sql + " password=unknown-to-anybody")
        def test_a():
            query("openstack-galera-0", chr(32).join(("{secret[:9]}" "{secret[9:]}", "argument")))
        '''
    )
    result = pytester.runpytest(*_TRIAL)
    result.assert_outcomes(failed=1)
    said = result.stdout.str() + result.stderr.str()
    assert secret not in said
    assert "unknown-to-anybody" not in said
    assert "\x1b" not in said
    assert f"refused: {MARK}{REMOVED} argument" in said
    assert "pod = 'openstack-galera-0'" not in said


def test_whoever_asks_for_long_tracebacks_gets_them_without_secrets(pytester: pytest.Pytester, secret: str) -> None:
    """An option that was given is kept."""
    pytester.makepyfile(
        f'''
        def query(sql):
            raise RuntimeError(sql)
        def test_a():
            query(chr(32).join(("{secret[:9]}" "{secret[9:]}", "argument")))
        '''
    )
    result = pytester.runpytest(*_TRIAL, "--tb=long", "--showlocals")
    result.stdout.fnmatch_lines(["sql *=*argument*"])
    assert secret not in result.stdout.str()


def test_without_a_trial_pytest_is_as_it_was(pytester: pytest.Pytester, secret: str) -> None:
    """Other tests on a machine where Seatrial is installed print what they like."""
    pytester.makepyfile(f"def test_a(): assert '{secret}' == ''")
    assert secret in pytester.runpytest("-p", "no:randomly", "-p", "no:locust").stdout.str()


class Terminal(io.StringIO):
    """A file that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_colours_of_pytest_stay_on_a_terminal_and_nothing_else() -> None:
    """Its own colours are fine; a deployment's title, cleared screen and hidden text are not."""
    file = Terminal()
    Guarded(file).write("\x1b[1m\x1b[31mFAILED\x1b[0m \x1b[8mhidden\x1b[2J\x1b]0;t\x07\n")
    assert (
        file.getvalue()
        == "\x1b[1m\x1b[31mFAILED\x1b[0m \N{REPLACEMENT CHARACTER}hidden" + 2 * "\N{REPLACEMENT CHARACTER}" + "\n"
    )


def test_a_private_key_is_removed_over_all_its_lines() -> None:
    """pytest writes line by line."""
    file = io.StringIO()
    guarded = Guarded(file)
    for line in (
        "before",
        "E   -----BEGIN RSA PRIVATE KEY-----",
        "E   MIIEow",
        "E   -----END RSA PRIVATE KEY-----",
        "after",
    ):
        guarded.write(f"{line}\n")
    assert file.getvalue() == f"before\nE   {REMOVED}\n\nafter\n"
