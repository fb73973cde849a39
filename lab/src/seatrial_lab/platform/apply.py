"""Putting manifests into the cluster with kubectl."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import jinja2
import yaml

from seatrial_lab.errors import BootFailed


class Kubectl:
    """kubectl as the lab's administrator."""

    def __init__(self, program: Path, kubeconfig: Path) -> None:
        # Else it would keep what it learns of this cluster in the home of whoever calls it.
        cache = kubeconfig.with_name("kubectl")
        self.argv = [str(program), "--kubeconfig", str(kubeconfig), "--cache-dir", str(cache)]

    def run(self, *argv: str, text: str | None = None) -> str:
        """Run kubectl and return what it printed; raise BootFailed with its complaint if it fails."""
        done = subprocess.run([*self.argv, *argv], check=False, capture_output=True, text=True, input=text)
        if done.returncode:
            msg = f"kubectl {' '.join(argv)}: {done.stderr.strip()}"
            raise BootFailed(msg)
        return done.stdout

    def get(self, *argv: str) -> dict[str, Any]:
        """Return an object, or a list of them, as data."""
        got: dict[str, Any] = json.loads(self.run("get", *argv, "-o", "json"))
        return got

    def apply(self, documents: list[dict[str, Any]]) -> None:
        """Apply objects in the order given, on the server's side."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
        self.run("apply", "--server-side", "--force-conflicts", "--field-manager=seatrial-lab", "-f", "-", text=text)


def render(file: Path, **values: object) -> list[dict[str, Any]]:
    """Return the objects of a manifest, its ``{{ names }}`` filled in."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 (YAML, not HTML)
    text = environment.from_string(file.read_text()).render(**values)
    return read(text)


def read(text: str) -> list[dict[str, Any]]:
    """Return the documents of a text, by libyaml where there is one: ten times as fast, and a boot waits for it."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [document for document in yaml.load_all(text, loader) if document]
