"""`OpenStack`: the operators themselves. What init brings up, and what it says about it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import yaml

from seatrial_lab.operators.common.kube import controller_of
from seatrial_lab.operators.common.reconciler import EVERY, Controller, Key, Round, Watch
from seatrial_lab.operators.common.resources import (
    DEPLOYMENT,
    OPENSTACK,
    ROLE,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
    Json,
)
from seatrial_lab.operators.common.templates import render

HERE: Final = Path(__file__).parent
TEMPLATES: Final = HERE / "templates"
OPERATORS: Final = ("openstack", "mariadb", "infra", "keystone", "placement", "glance", "ovn", "neutron", "nova")
NAME_LABEL: Final = "openstack.org/operator-name"
OPERATOR_READY, DEPLOYMENTS_READY = "OpenStackOperatorReadyCondition", "OpenStackOperatorDeploymentsReadyCondition"


def control_plane_namespaces() -> list[str]:
    """Where operators serve control planes."""
    return [part.strip() for part in os.environ.get("CONTROL_PLANE_NAMESPACES", "openstack").split(",")]


def image() -> str:
    """The image that operators run in."""
    return os.environ.get("OPERATOR_IMAGE", "lab.local/base:1")


def rules_of(operator: str) -> list[Json]:
    """What an operator may do in a control plane's namespace: data in its own folder."""
    return list(yaml.safe_load((HERE.parent / operator / "rbac.yaml").read_text())["rules"])


def labels_of(operator: str) -> dict[str, str]:
    """The labels of an operator's Deployment."""
    return {"app.kubernetes.io/name": operator, "control-plane": "controller-manager", NAME_LABEL: operator}


async def reconcile(this: Round) -> None:
    """One round for the one `OpenStack` there may be."""
    if await _is_second(this):
        await this.kube.delete(OPENSTACK, this.name, namespace=this.namespace, uid=this.cr["metadata"]["uid"])
        this.conditions.failed(OPERATOR_READY, "Another OpenStack exists already; this one is deleted")
        return
    overrides = {override["name"]: override for override in this.spec.get("operatorOverrides") or ()}
    deployments = {name: await _bring_up(this, name, overrides.get(name, {})) for name in OPERATORS}
    this.conditions.true(OPERATOR_READY, "OpenStack operator resources applied")
    enabled = [name for name in OPERATORS if _replicas(overrides.get(name, {})) > 0]
    pending = [name for name in enabled if not _is_deployed(deployments[name], this.cr)]
    this.status |= {
        "containerImage": image(),
        "releaseVersion": _release(),
        "totalOperatorCount": len(OPERATORS),
        "enabledOperatorCount": len(enabled),
        "disabledOperatorCount": len(OPERATORS) - len(enabled),
        "deployedOperatorCount": len(enabled) - len(pending),
    }
    if pending:
        this.conditions.waiting(DEPLOYMENTS_READY, f"Operator deployments pending: {', '.join(pending)}")
    else:
        this.conditions.true(DEPLOYMENTS_READY, "Operator deployments ready")


async def _is_second(this: Round) -> bool:
    all_of_them = await this.list(OPENSTACK, {})
    first = min(all_of_them, key=lambda cr: (cr["metadata"]["creationTimestamp"], cr["metadata"]["name"]))
    return bool(first["metadata"]["uid"] != this.cr["metadata"]["uid"])


async def _bring_up(this: Round, name: str, override: Json) -> Json:
    """Rights, account and Deployment of one operator; returns the Deployment as it is."""
    labels = labels_of(name)
    for namespace in control_plane_namespaces():
        # In other namespaces nothing can be owned by the OpenStack resource; there, labels tell whose it is.
        for manifest in render(
            TEMPLATES,
            "rights.yaml.j2",
            name=name,
            namespace=namespace,
            home=this.namespace,
            labels=labels,
            rules=rules_of(name),
        ):
            await this.kube.apply(manifest)
    manager: Json = override.get("controllerManager") or {}
    account, deployment = render(
        TEMPLATES,
        "operator.yaml.j2",
        name=name,
        labels=labels,
        image=image(),
        replicas=_replicas(override),
        module=[f"seatrial_lab.operators.{name}", *(["manager"] if name == "openstack" else [])],
        env=_environment(manager),
        resources=manager.get("resources") or {"requests": {"cpu": "10m", "memory": "64Mi"}},
    )
    await this.apply(account)
    return await this.apply(deployment)


def _release() -> str:
    try:
        return version("seatrial-lab")
    except PackageNotFoundError:  # run from a source tree
        return "source"


def _environment(manager: Json) -> list[dict[str, Any]]:
    values = {"WATCH_NAMESPACES": ",".join(control_plane_namespaces()), "MALLOC_ARENA_MAX": "2"}
    values |= {entry["name"]: entry["value"] for entry in manager.get("env") or ()}
    return [{"name": key, "value": value} for key, value in values.items()]


def _replicas(override: Json) -> int:
    return int(override.get("replicas", 1))


def _is_deployed(deployment: Json, owner: Json) -> bool:
    """Whether a Deployment is managed by this resource, and all of it runs in its present form."""
    controller, status = controller_of(deployment), deployment.get("status") or {}
    wanted = deployment["spec"]["replicas"]
    return (
        controller is not None
        and controller["uid"] == owner["metadata"]["uid"]
        and status.get("observedGeneration") == deployment["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
    )


def _of_an_operator(resource: Json) -> Iterable[Key]:
    if (resource["metadata"].get("labels") or {}).get(NAME_LABEL) in OPERATORS:
        for namespace in os.environ.get("WATCH_NAMESPACES", "openstack-operators").split(","):
            yield namespace.strip(), EVERY


CONTROLLER: Final = Controller(
    resource=OPENSTACK,
    reconcile=reconcile,
    conditions=(OPERATOR_READY, DEPLOYMENTS_READY),
    owns=(DEPLOYMENT, SERVICE_ACCOUNT),
    watches=(Watch(ROLE, _of_an_operator), Watch(ROLE_BINDING, _of_an_operator)),
)
