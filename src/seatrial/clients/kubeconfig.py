"""Kubeconfig files, merged as kubectl merges them: the first file that says something is the one that counts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes.config.kube_config import KubeConfigMerger

KINDS = {"contexts": "context", "clusters": "cluster", "users": "user"}
"""The three lists of a kubeconfig, and under which key each entry of one says what it is."""
_FILES = {
    "clusters": ("certificate-authority",),
    "users": ("client-certificate", "client-key", "tokenFile"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One named entry, and the file that it stands in."""

    file: Path
    body: dict[str, Any]


class Kubeconfig:
    """What several files say together; paths inside them have become absolute, each beside its own file.

    Raises what reading may raise (``ConfigException``, ``OSError``, ``yaml.YAMLError``) and, for entries that are no
    mappings, ``TypeError``, ``KeyError`` or ``AttributeError``.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        merger = KubeConfigMerger(os.pathsep.join(str(file) for file in files))
        self.config: Any = merger.config
        """As ``kubernetes.config`` reads on."""
        # The merger takes the last file's word for this one key; kubectl takes the first.
        written = (read.get("current-context") for read in merger.config_files.values())
        self.current: str | None = next((name for name in written if name), None)
        self._entries: dict[str, dict[str, Entry]] = {plural: {} for plural in KINDS}
        for plural, key in KINDS.items():
            for node in self.config.value[plural] if self.config is not None else ():
                name, file = node.value["name"], Path(node.path)
                # The merger names an entry by all that it holds, and its errors show that name: secrets too.
                node.name = f"{file}/{plural}[name={name}]"
                entry = Entry(file, node.value[key])
                self._entries[plural][name] = entry
                _make_absolute(entry, _FILES.get(plural, ()))

    def entries(self, plural: str) -> dict[str, Entry]:
        """Return the ``contexts``, ``clusters`` or ``users`` by name."""
        return self._entries[plural]


def _make_absolute(entry: Entry, keys: Sequence[str]) -> None:
    for key in keys:
        if entry.body.get(key):
            entry.body[key] = str(entry.file.absolute().parent / entry.body[key])
    helper = entry.body.get("exec")
    if isinstance(helper, dict) and os.sep in str(helper.get("command", "")):
        # A helper that is named by a path stands beside the file; one without is looked for as any command is.
        helper["command"] = str(entry.file.absolute().parent / helper["command"])
