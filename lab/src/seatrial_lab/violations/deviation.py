"""What a deviation is, and the small moves that several share."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seatrial_lab.errors import BootFailed, LabError
from seatrial_lab.platform.apply import Kubectl
from seatrial_lab.topology import IMAGE

PATIENCE_S = 180.0
MARK = {"seatrial-lab/deviation": "true"}
"""Label of every object that a deviation adds, for people who look; no operator and no selector knows it."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One deviation: what it breaks, how it is put in, and how it is taken back."""

    name: str
    breaks: str
    """Id of the requirement."""
    says: str
    """One line for whoever reads the list."""
    apply: Callable[[Kubectl], None]
    revert: Callable[[Kubectl], None]


def until(what: str, done: Callable[[], bool]) -> None:
    """Wait until a deviation has taken hold, or is gone; raise LabError when it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > deadline:
            msg = f"{what} took longer than {PATIENCE_S:.0f} s"
            raise LabError(msg)
        time.sleep(0.5)


def patch_control_plane(kubectl: Kubectl, patch: dict[str, Any]) -> None:
    """Change the OpenStackControlPlane's spec, as the cloud's owner would."""
    plane = kubectl.get("openstackcontrolplane", "-n", "openstack")["items"][0]["metadata"]["name"]
    text = json.dumps({"spec": patch})
    kubectl.run("patch", "openstackcontrolplane", plane, "-n", "openstack", "--type=merge", "-p", text)


def rolled_out(kubectl: Kubectl, kind: str, name: str, namespace: str = "openstack") -> bool:
    """Tell whether a workload runs as its present spec says, and nothing of an earlier one is left."""
    found = kubectl.get(kind, name, "-n", namespace)
    wanted, status = found["spec"]["replicas"], found["status"]
    current = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
    counts = (status.get("readyReplicas", 0), status.get("replicas", 0))
    updated = status.get("updatedReplicas", wanted if kind == "statefulset" else 0)
    return bool(current and counts == (wanted, wanted) and updated == wanted)


def pods(kubectl: Kubectl, labels: str, namespace: str = "openstack") -> list[dict[str, Any]]:
    """Return the pods with these labels."""
    items: list[dict[str, Any]] = kubectl.get("pods", "-n", namespace, "-l", labels)["items"]
    return items


def is_ready(pod: dict[str, Any]) -> bool:
    """Tell whether a pod is ready."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def add_pod(kubectl: Kubectl, manifest: dict[str, Any]) -> None:
    """Add one pod that nobody owns, and wait until it is ready."""
    kubectl.apply([manifest])
    name = manifest["metadata"]["name"]
    until(f"pod {name}", lambda: is_ready(kubectl.get("pod", name, "-n", "openstack")))


def remove(kubectl: Kubectl, *names: str, namespace: str | None = "openstack") -> None:
    """Remove objects (``kind/name``) if they are there, at once."""
    where = ["-n", namespace] if namespace else []
    kubectl.run("delete", *names, *where, "--ignore-not-found", "--grace-period=1", "--wait=true")


def python_pod(name: str, labels: dict[str, str], program: list[str], **spec: Any) -> dict[str, Any]:
    """Return a pod that runs one of the lab's own programs."""
    container = {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/bin/catatonit", "--", "/opt/lab/pods/bin/python", "-m", *program],
        **spec,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "openstack", "labels": {**labels, **MARK}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]},
    }


def refuse_writes(name: str, user: str, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return an admission policy by which the API server refuses what one operator writes to these resources."""
    metadata = {"name": name, "labels": MARK}
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata,
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": rules},
            "matchConditions": [{"name": "that-operator", "expression": f"request.userInfo.username == '{user}'"}],
            "validations": [{"expression": "false", "message": f"deviation {name}: this operator may not write here"}],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata,
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    return [policy, binding]


def refuse(kubectl: Kubectl, name: str, user: str, rules: list[dict[str, Any]], proof: str) -> None:
    """Have the API server refuse an operator's writes, and wait until it does so for ``proof`` (``kind/name``)."""
    kubectl.apply(refuse_writes(name, user, rules))
    change = json.dumps({"metadata": {"annotations": {"seatrial-lab/deviation": name}}})
    asked = ["patch", proof, "-n", "openstack", "--as", user, "--dry-run=server", "--type=merge", "-p", change]

    def refused() -> bool:
        try:
            kubectl.run(*asked)
        except BootFailed as said:
            if name in str(said):
                return True
            raise
        return False

    until("the refusal", refused)


def lift(kubectl: Kubectl, name: str) -> None:
    """Remove an admission policy."""
    kinds = ("validatingadmissionpolicybinding", "validatingadmissionpolicy")
    remove(kubectl, *(f"{kind}/{name}" for kind in kinds), namespace=None)


def operator_user(kubectl: Kubectl, operator: str) -> str:
    """Return whom the API server takes an operator for."""
    deployment = kubectl.get("deployment", f"{operator}-operator-controller-manager", "-n", "openstack-operators")
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    return f"system:serviceaccount:openstack-operators:{account}"


def sql(kubectl: Kubectl, pod: str, statement: str) -> str:
    """Run SQL as root on one database member; the password goes by standard input."""
    plane = kubectl.get("galera", "openstack", "-n", "openstack")["status"]["rootDatabaseSecret"]

    password = base64.b64decode(kubectl.get("secret", plane, "-n", "openstack")["data"]["DatabasePassword"]).decode()
    script = "IFS= read -r MYSQL_PWD; export MYSQL_PWD; exec mysql -uroot --batch --skip-column-names"
    argv = ["exec", "-i", "-n", "openstack", pod, "-c", "galera", "--", "sh", "-c", script]
    return kubectl.run(*argv, text=f"{password}\n{statement}\n")
