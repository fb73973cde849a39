"""SQL on one member of a Galera cluster, asked inside its pod so that no Service can answer for another member."""

from __future__ import annotations

import re
from typing import Any

from seatrial.clients.kube import Kube
from seatrial.clients.looking import Malformed
from seatrial.model.errors import Unreachable
from seatrial.model.known import cut
from seatrial.model.target import Secret

CONTAINER = "galera"
"""Of every Galera pod that mariadb-operator makes (rhoso-topology, section 3)."""
PASSWORD_KEY = "DatabasePassword"  # noqa: S105  # the name of a key, not a password
_LEGACY_KEY = "DbRootPassword"

# The password travels on standard input, and what follows there is the SQL: an argument of the exec would show in the
# pod's /proc to everyone and in the platform's audit log. From there it goes through a pipe, as a file of options that
# is never on a disk: an environment could be read in /proc by whatever else runs as the same user. The shell's own
# printf starts no process; a here-document would be a file to shells older than bash 5.1.
_SCRIPT = (
    "IFS= read -r password; exec 4<&0; "
    """printf '[client]\\npassword="%s"\\n' "$password" | """
    "mysql --defaults-extra-file=/dev/fd/3 -uroot --batch --default-character-set=utf8mb4 3<&0 0<&4 4<&-"
)
_SPECIAL = re.compile(r"([\\\"'])")
"""In a file of options, within quotes."""
# "ERROR 1146 (42S02) at line 1: ..."; numbers from 2000 on are the client's: it did not reach a server.
_SERVER_ERROR = re.compile(r"ERROR (1\d{3}|[3-9]\d{3}) \([0-9A-Z]{5}\)")
_UNESCAPE = {"\\n": "\n", "\\t": "\t", "\\0": "\0", "\\\\": "\\"}


class SqlRefused(Unreachable):
    """Raised when the server answered a statement with an error of its own; ``code`` is MariaDB's number."""

    def __init__(self, message: str, code: int) -> None:
        self.code = code
        super().__init__(message)


def root_password(kube: Kube, galera: dict[str, Any]) -> Secret:
    """Return the root password of a cluster from the Secret that its CR (a manifest) names."""
    namespace = galera["metadata"]["namespace"]
    named = (galera.get("status") or {}).get("rootDatabaseSecret")
    if named:
        return kube.secret(named, PASSWORD_KEY, namespace=namespace)
    # Releases before MariaDBAccount of type System name it in the spec, under another key.
    legacy = (galera.get("spec") or {}).get("secret")
    if not legacy:
        raise Unreachable(f"galera {namespace}/{galera['metadata']['name']} names no secret of its root account")
    return kube.secret(legacy, _LEGACY_KEY, namespace=namespace)


def query(
    kube: Kube, pod: str, sql: str, *, namespace: str, password: Secret, timeout_s: float = 20
) -> list[dict[str, str]]:
    """Run statements as root on this member and return the rows, by column, of the one statement that gives any.

    Several that give the same columns are told one after the other, each with its header as a row before its own.

    Raises ``SqlRefused`` when the server refuses one, ``Unreachable`` when there is no server to ask.
    """
    option = _SPECIAL.sub(r"\\\1", password.reveal())
    stdin = f"{option}\n{sql.rstrip().rstrip(';')};\n"
    answer = kube.exec(
        pod, ["sh", "-c", _SCRIPT], namespace=namespace, container=CONTAINER, stdin=stdin, timeout_s=timeout_s
    )
    if answer.status != 0:
        said = _told(answer.stderr)
        code = _SERVER_ERROR.match(said)
        if code:
            raise SqlRefused(f"the server in pod {namespace}/{pod} refused: {said}", int(code.group(1)))
        raise Unreachable(f"mysql in pod {namespace}/{pod} ended with {answer.status}: {said}")
    return parse(answer.stdout)


def parse(text: str) -> list[dict[str, str]]:
    """Parse one result set as ``mysql --batch`` prints it: a header, then rows, tab separated."""
    lines = text.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    if not lines:
        return []
    header = lines[0].split("\t")
    rows: list[dict[str, str]] = []
    for line in lines[1:]:
        cells = [_plain(cell) for cell in line.split("\t")]
        if len(cells) != len(header):
            raise Malformed(f"a row of {len(cells)} cells under {len(header)} columns {header}")
        rows.append(dict(zip(header, cells, strict=True)))
    return rows


def _plain(cell: str) -> str:
    if "\\" not in cell:
        return cell
    out: list[str] = []
    at = 0
    while at < len(cell):
        pair = cell[at : at + 2]
        out.append(_UNESCAPE.get(pair, cell[at]))
        at += 2 if pair in _UNESCAPE else 1
    return "".join(out)


def _told(text: str) -> str:
    """Return the line that says what went wrong; never the statement, which the tool repeats: it may be secret."""
    lines = [line.strip() for line in text.splitlines()]
    return cut(next((line for line in lines if line.startswith("ERROR ")), "(no word of why)"), 300)
