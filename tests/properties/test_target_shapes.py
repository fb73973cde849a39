"""Whatever stands in a target, a kubeconfig or a clouds.yaml: a Target, or a list of what is wrong with it; no more."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from seatrial.clients.kube import Kube
from seatrial.clients.openstack import OpenStack
from seatrial.entry.target import load_target
from seatrial.model.errors import BadInput, NotPermitted

SECRET = "s3cret-that-nobody-may-see"
DOCUMENTS: dict[str, Any] = {
    "target.yaml": {
        "name": "t",
        "kubernetes": {"kubeconfig": "kubeconfig", "context": "a"},
        "cloud": {"clouds_yaml": "clouds.yaml", "name": "c"},
        "grant": "observe",
        "namespaces": {"control_plane": "openstack"},
        "agent": {"image": "i"},
        "limits": {"max_down": {"*": 1}, "protected": ["x"]},
        "budgets": {"failover": 30},
        "waivers": [{"requirement": "DB-5", "reason": "r", "owner": "o", "expires": date(2030, 1, 1)}],
    },
    "kubeconfig": {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "a",
        "clusters": [
            {
                "name": "a",
                "cluster": {
                    "server": "http://127.0.0.1:1",
                    "insecure-skip-tls-verify": False,
                    "tls-server-name": "n",
                    "proxy-url": "http://127.0.0.1:2",
                },
            }
        ],
        "users": [{"name": "a", "user": {"token": SECRET, "username": "u", "password": SECRET}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a", "namespace": "n"}}],
    },
    "clouds.yaml": {
        "clouds": {
            "c": {
                "auth_type": "password",
                "auth": {"auth_url": "http://127.0.0.1:1", "username": "u", "project_name": "x"},
                "region_name": "r",
                "verify": True,
                "interface": "public",
            },
            "d": {},
        },
        "cache": {"expiration_time": 3},
    },
    "secure.yaml": {"clouds": {"c": {"auth": {"password": SECRET}}}},
}
Place = tuple[Any, ...]


def places(document: object, here: Place = ()) -> Iterator[Place]:
    """Yield where something stands in a document."""
    if isinstance(document, dict):
        entries: list[tuple[Any, Any]] = list(document.items())
    else:
        entries = list(enumerate(document)) if isinstance(document, list) else []
    for key, value in entries:
        yield (*here, key)
        yield from places(value, (*here, key))


ALL = [(name, place) for name, document in DOCUMENTS.items() for place in places(document)]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["http://[", "https://h:x", "${NOWHERE}", "{", "{auth}", "2026-01-01", "../..", "~", "a:b", "\0"])
)
keys = st.text(max_size=6) | st.sampled_from(["auth", "name", "exec", "token", "profile"]) | st.integers()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=6
)


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)


def test_as_they_are_they_describe_a_deployment(tmp_path: Path) -> None:
    """What is changed below is good to begin with."""
    for name, document in DOCUMENTS.items():
        (tmp_path / name).write_text(yaml.safe_dump(document))
    target = load_target(tmp_path / "target.yaml")
    Kube(target).close()
    assert OpenStack(target).public_url == "http://127.0.0.1:1"


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from(ALL), values), min_size=1, max_size=2))
@pytest.mark.filterwarnings("ignore::openstack.warnings.OpenStackDeprecationWarning")
@pytest.mark.filterwarnings("ignore::openstack.warnings.ConfigurationWarning")
def test_any_shape_is_a_target_or_bad_input(changes: list[tuple[tuple[str, Place], Any]]) -> None:
    """One or two places hold something else than they should; what opens files and logins must cope, too."""
    documents = copy.deepcopy(DOCUMENTS)
    for (name, place), value in changes:
        holder = documents[name]
        try:
            for step in place[:-1]:
                holder = holder[step]
            holder[place[-1]] = value
        except (TypeError, LookupError):
            continue  # the other change has taken away where this one would have stood
    with TemporaryDirectory() as folder:
        for name, document in documents.items():
            Path(folder, name).write_text(yaml.safe_dump(document))
        try:
            target = load_target(Path(folder, "target.yaml"))
            Kube(target).close()
            cloud = OpenStack(target)
            said = cloud.public_url + str(cloud.region) + str(cloud.trust)
        except (BadInput, NotPermitted) as refused:
            said = str(refused)
    assert SECRET not in said


@given(st.sampled_from(sorted(DOCUMENTS)), st.binary(max_size=40) | values.map(lambda v: json.dumps(v).encode()))
def test_any_bytes_are_a_target_or_bad_input(name: str, content: bytes) -> None:
    """A whole file may be anything."""
    with TemporaryDirectory() as folder:
        for other, document in DOCUMENTS.items():
            Path(folder, other).write_text(yaml.safe_dump(document))
        Path(folder, name).write_bytes(content)
        said = ""
        try:
            load_target(Path(folder, "target.yaml"))
        except BadInput as refused:
            said = str(refused)
    assert SECRET not in said
