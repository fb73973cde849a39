"""The roles of an account for each grant, as a document to apply; written from the table that preflight asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from seatrial.engine.rights import BOTH, Need, needs
from seatrial.model.rights import Right, Where
from seatrial.model.target import Grant, Namespaces

NAME = "seatrial"
_API = "rbac.authorization.k8s.io"
_LABELS = {"app.kubernetes.io/part-of": "seatrial"}


def document(grant: Grant, namespaces: Namespaces, *, name: str = NAME) -> str:
    """Return YAML with a ServiceAccount that may do what this grant needs, and nothing else.

    The account stands in the control plane's namespace. What is in no namespace carries the namespace's name besides,
    so that several control planes can each have an account of the same name.
    """
    places = [Where.CONTROL_PLANE] if namespaces.control_plane == namespaces.operators else list(BOTH)
    account = {"kind": "ServiceAccount", "name": name, "namespace": namespaces.control_plane}
    parts = [_plain({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(name, account["namespace"])})]
    for where in places:
        namespace = namespaces.control_plane if where is Where.CONTROL_PLANE else namespaces.operators
        wanted = [where, Where.OPERATORS] if len(places) == 1 else [where]
        parts += _role("Role", _metadata(name, namespace), _rules(grant, wanted), account)
    parts += _role(
        "ClusterRole", _metadata(f"{name}-{namespaces.control_plane}"), _rules(grant, [Where.CLUSTER]), account
    )
    return f"# {_head(grant, namespaces, name)}\n" + "---\n".join(parts)


def _head(grant: Grant, namespaces: Namespaces, name: str) -> str:
    lines = (
        f"What Seatrial needs for a target with `grant: {grant.value}`, and nothing else; `seatrial rbac` writes it.",
        f"  kubectl apply -f FILE; kubectl create token {name} -n {namespaces.control_plane} --duration=8h",
    )
    return "\n# ".join(lines)


def _metadata(name: str, namespace: str | None = None) -> dict[str, Any]:
    return {"name": name, **({"namespace": namespace} if namespace else {}), "labels": dict(_LABELS)}


def _role(kind: str, metadata: Mapping[str, Any], rules: str, account: Mapping[str, str]) -> list[str]:
    role = _plain({"apiVersion": f"{_API}/v1", "kind": kind, "metadata": metadata}) + f"rules:\n{rules}"
    reference = {"apiGroup": _API, "kind": kind, "name": metadata["name"]}
    binding = {"kind": f"{kind}Binding", "metadata": metadata, "roleRef": reference, "subjects": [dict(account)]}
    return [role, _plain({"apiVersion": f"{_API}/v1", **binding})]


def _rules(grant: Grant, places: Sequence[Where]) -> str:
    """Return the rules for some places as text, each need's under what it is for."""
    written: list[str] = []
    taken: set[tuple[str, str, str]] = set()
    for need in needs(grant):
        rules = list(_rules_of(_here(need, places, taken)))
        if rules:
            written.append(
                f"# {need.what}\n{yaml.safe_dump(rules, default_flow_style=None, sort_keys=False, width=112)}"
            )
    return "".join(written)


def _here(need: Need, places: Sequence[Where], taken: set[tuple[str, str, str]]) -> list[Right]:
    found: list[Right] = []
    for right in need.rights:
        said = (right.verb, right.resource, right.name)
        if right.where in places and said not in taken:
            taken.add(said)
            found.append(right)
    return found


def _rules_of(wanted: Iterable[Right]) -> Iterable[dict[str, list[str]]]:
    """Yield rules, as few as can be: what has the same verbs in an API group together, and groups that agree."""
    verbs: dict[tuple[str, str, str], list[str]] = {}
    for right in wanted:
        verbs.setdefault((right.group, right.plural, right.name), []).append(right.verb)
    resources: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (group, plural, name), allowed in verbs.items():
        resources.setdefault((group, name, tuple(allowed)), []).append(plural)
    groups: dict[tuple[tuple[str, ...], str, tuple[str, ...]], list[str]] = {}
    for (group, name, same), plurals in resources.items():
        groups.setdefault((tuple(plurals), name, same), []).append(group)
    for (kinds, name, same), together in groups.items():
        only = {"resourceNames": [name]} if name else {}
        yield {"apiGroups": together, "resources": list(kinds), **only, "verbs": list(same)}


def _plain(part: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(part), sort_keys=False, default_flow_style=False)
