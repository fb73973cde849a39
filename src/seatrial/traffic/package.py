"""The agent as one blob of bytes that any python3 can import: its own code and the two clients it needs."""

from __future__ import annotations

import io
import zipfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from seatrial.model.errors import HarnessBug

_CLIENTS = ("pymysql", "amqp", "vine")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


@lru_cache(maxsize=1)
def packed() -> bytes:
    """Return a zip file to put on ``sys.path``; the same bytes for the same code."""
    blob = io.BytesIO()
    with zipfile.ZipFile(blob, "w", zipfile.ZIP_DEFLATED) as archive:
        # The harness's own package is an empty shell there: the agent needs nothing else of it.
        _put(archive, "seatrial/__init__.py", b"")
        for package in ("seatrial.agent", *_CLIENTS):
            root = _folder(package)
            for file in sorted(root.rglob("*.py")):
                _put(archive, f"{package.replace('.', '/')}/{file.relative_to(root).as_posix()}", file.read_bytes())
    return blob.getvalue()


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        msg = f"package {package} is not installed, and the agent needs it"
        raise HarnessBug(msg)
    return Path(spec.origin).parent


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _LONG_AGO)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)
