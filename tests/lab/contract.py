"""What the documented shape of an object is, and in what a lab deviates from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.conftest import Lab

NAMESPACE = "openstack-operators"
FORBIDDEN = (("delete", "nodes"), ("create", "clusterrolebindings"), ("get", "secrets"))


def shapes(size: str) -> list[dict[str, Any]]:
    """The shapes that a size of the lab brings."""
    found: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / f"shapes/{size}.yaml").read_text())
    return found


def title(shape: dict[str, Any]) -> str:
    """A name for a shape among test names."""
    return f"{shape['object']['kind'].split('.')[0]}-{shape['object']['name']}"


def deviations(lab: Lab, shape: dict[str, Any]) -> list[str]:
    """Where one object lacks what is documented: name, namespace, labels, controller, ports, conditions."""
    place = shape["object"]
    real = lab.get(place["kind"], place["name"], "-n", place["namespace"])
    references = [r for r in real["metadata"].get("ownerReferences", []) if r.get("controller")]
    owners = {name for r in references for name in (r["kind"], f"{r['kind']}/{r['name']}")}
    orphan = [f"owner: {sorted(owners)}, not {shape['owner']}"] if shape.get("owner", "") not in {"", *owners} else []
    return orphan + differences(shape.get("is", {}), real)


def differences(wanted: Any, real: Any, at: str = "") -> list[str]:
    """Return where what is real lacks what is wanted; more than wanted is no difference."""
    if isinstance(wanted, dict):
        if not isinstance(real, dict):
            return [f"{at}: {real!r} where an object was expected"]
        return [d for key in wanted for d in differences(wanted[key], real.get(key), f"{at}.{key}")]
    if isinstance(wanted, list):
        if not isinstance(real, list):
            return [f"{at}: {real!r} where a list was expected"]
        return [f"{at}: no entry like {w!r}" for w in wanted if all(differences(w, r) for r in real)]
    return [] if wanted == real else [f"{at}: {real!r} instead of {wanted!r}"]


def excesses(lab: Lab, operator: str) -> list[str]:
    """What an operator may do and has no business to; every operator has an account of its own."""
    deployment = lab.get("deployment", f"{operator}-operator-controller-manager", "-n", NAMESPACE)
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    user = f"system:serviceaccount:{NAMESPACE}:{account}"
    found = [f"{verb} {what}" for verb, what in FORBIDDEN if lab.may(user, verb, what, "kube-system")]
    subject = {"kind": "ServiceAccount", "namespace": NAMESPACE, "name": account}
    bindings = lab.get("rolebindings,clusterrolebindings", "-A")["items"]
    bound = [b for b in bindings if not differences([subject], b.get("subjects"))]
    given = {(b["roleRef"]["kind"], b["roleRef"]["name"]) for b in bound}
    for role in lab.get("roles,clusterroles", "-A")["items"]:
        if (role["kind"], role["metadata"]["name"]) in given:
            wild = [
                r
                for r in role["rules"]
                if "*" in {v for k in ("apiGroups", "resources", "verbs") for v in r.get(k, [])}
            ]
            found += [f"{role['metadata']['name']}: {rule}" for rule in wild]
    unshared = f"{operator}-operator" in account
    return found if given and unshared else [f"account {account} is not the operator's own", *found]
