"""Deployments, StatefulSets and Jobs of OpenStack's services: how their pods look, and whether they are as asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seatrial_lab import releases
from seatrial_lab.operators.common.database import PATIENT
from seatrial_lab.operators.common.reconciler import NotYet, Round
from seatrial_lab.operators.common.resources import Json
from seatrial_lab.operators.common.templates import render, render_text

TEMPLATES: Final = Path(__file__).parent / "templates"
IMAGE: Final = "lab.local/base:1"
HOME: Final = "/opt/lab/openstack"
LOOK_AGAIN_S: Final = 5.0
STATUS: Final = "k8s.v1.cni.cncf.io/network-status"


@dataclass(frozen=True, slots=True)
class Runs:
    """What all pods of one resource have in common."""

    account: str
    """The ServiceAccount; its token is not given to pods."""
    labels: Mapping[str, str]
    uid: int
    """The user that the processes run as: kolla's number for the service."""
    image: str = IMAGE
    node_selector: Mapping[str, str] = field(default_factory=dict)
    networks: Sequence[str] = ()
    """NetworkAttachmentDefinitions of the same namespace that the pods are attached to."""
    volumes: Sequence[Json] = ()
    mounts: Sequence[Json] = ()


def config_volume(secret: str, at: str, paths: Mapping[str, str] | None = None) -> tuple[Json, Json]:
    """A volume of a Secret's files, and its mount in a container; `paths` say where each lies, if not all in `at`."""
    source: Json = {"secretName": secret, "defaultMode": 0o440}
    if paths is not None:
        source["items"] = [{"key": key, "path": path} for key, path in paths.items()]
    return {"name": "config-data", "secret": source}, {"name": "config-data", "mountPath": at, "readOnly": True}


def program(name: str) -> list[str]:
    """The command that runs a program of OpenStack's environment, under an init that reaps."""
    return ["catatonit", "--", f"{HOME}/bin/python", f"{HOME}/bin/{name}"]


def wsgi(name: str, port: int, ini: str, probe: str, env: Mapping[str, str], *, memory: str = "192Mi") -> Json:
    """The container of an API in uwsgi; `ini` is its file in the container, `probe` a path that needs no token."""
    look = {"httpGet": {"path": probe, "port": port, "scheme": "HTTP"}}
    return {
        "name": name,
        "command": [*program("uwsgi"), "--ini", ini],
        "env": _env({**releases.running().environment, **env}),
        "ports": [{"name": name[:15].rstrip("-"), "containerPort": port, "protocol": "TCP"}],
        "startupProbe": {**look, "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 120},
        "readinessProbe": {**look, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {**look, "periodSeconds": 30, "timeoutSeconds": 30, "failureThreshold": 3},
        # Requests go on arriving until every node has heard that this pod leaves.
        "lifecycle": {"preStop": {"sleep": {"seconds": 2}}},
        "resources": {"requests": {"cpu": "50m", "memory": memory}},
    }


def daemon(name: str, command: Sequence[str], env: Mapping[str, str], memory: str = "128Mi") -> Json:
    """The container of a process that serves no port: it lives as long as its process."""
    resources = {"requests": {"cpu": "50m", "memory": memory}}
    return {"name": name, "command": list(command), "env": _env(env), "resources": resources}


def uwsgi_ini(port: int, name: str, *extra: str) -> str:
    """The file that uwsgi runs an API by; `extra` are further lines of it."""
    application = releases.running().applications[name]
    values = {"port": port, "home": HOME, "application": application, "name": name, "extra": extra}
    return render_text(TEMPLATES, "uwsgi.ini.j2", **values)


def claim(name: str, storage_class: str | None, request: str) -> Json:
    """A volume that every pod of a StatefulSet has for its own, and keeps; without a class, the cluster's default."""
    spec: Json = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": request}}}
    if storage_class:
        spec["storageClassName"] = storage_class
    return {"metadata": {"name": name}, "spec": spec}


def headless(name: str, runs: Runs, port: int) -> Json:
    """The Service that gives each pod of a StatefulSet its name."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": dict(runs.labels)},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": dict(runs.labels),
            "ports": [{"name": name, "port": port, "targetPort": port, "protocol": "TCP"}],
        },
    }


def workload(
    kind: str,
    name: str,
    runs: Runs,
    *,
    replicas: int,
    config_hash: str,
    containers: Sequence[Json],
    claims: Sequence[Json] = (),
    **more: object,
) -> Json:
    """A Deployment or StatefulSet; a changed `config_hash` replaces the pods. `more` goes into the pods' spec."""
    [document] = render(
        TEMPLATES,
        "workload.yaml.j2",
        kind=kind,
        name=name,
        runs=runs,
        replicas=replicas,
        containers=[_filled(container, runs, config_hash) for container in containers],
        networks=asked_networks(runs.networks),
        claims=claims,
        more=more,
    )
    return document


def job(name: str, runs: Runs, command: Sequence[str], *, what: str, env: Sequence[Json] = ()) -> Json:
    """A Job that runs one command to its end. Its pods carry no `service` label: Services must not take them in."""
    container = {"name": name, "command": list(command), "env": [*_env(PATIENT), *env]}
    resources = {"requests": {"cpu": "100m", "memory": "128Mi"}}
    [document] = render(
        TEMPLATES,
        "job.yaml.j2",
        name=name,
        runs=runs,
        labels={"owner": runs.labels.get("owner", name), "job": what},
        containers=[{**_filled(container, runs, None), "resources": resources}],
    )
    return document


def _filled(container: Json, runs: Runs, config_hash: str | None) -> Json:
    changes = [{"name": "CONFIG_HASH", "value": config_hash}] if config_hash is not None else []
    return {
        "image": runs.image,
        "imagePullPolicy": "IfNotPresent",
        **container,
        "env": [*changes, *(container.get("env") or ())],
        "volumeMounts": [*runs.mounts, *(container.get("volumeMounts") or ())],
    }


def _env(values: Mapping[str, str]) -> list[Json]:
    return [{"name": key, "value": value} for key, value in values.items()]


def asked_networks(names: Iterable[str]) -> list[Json]:
    """The annotation by which pods ask for networks: interfaces are called like them, as in RHOSO."""
    return [{"name": name, "interface": name} for name in names]


async def account(this: Round, runs: Runs) -> None:
    """See to the ServiceAccount that the pods run as."""
    manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": runs.account}}
    await this.apply({**manifest, "automountServiceAccountToken": False})
    this.conditions.true("ServiceAccountReady", f"ServiceAccount {runs.account} exists")


def count(this: Round, live: Json, *, field: str = "readyCount") -> None:
    """Tell in the status how many replicas are ready."""
    this.status[field] = int((live.get("status") or {}).get("readyReplicas") or 0)


def deployed(this: Round, live: Json, *, condition: str = "DeploymentReady") -> None:
    """Say that all replicas serve with the configuration of now; NotYet while they do not."""
    status, wanted = live.get("status") or {}, int(live["spec"]["replicas"])
    counts = [int(status.get(key) or 0) for key in ("replicas", "updatedReplicas", "readyReplicas")]
    # Of a StatefulSet whose pods are all of the one revision `updatedReplicas` may be left out.
    if live["kind"] == "StatefulSet" and status.get("currentRevision") == status.get("updateRevision"):
        counts[1] = counts[0]
    current = status.get("observedGeneration") == live["metadata"]["generation"]
    if not current or any(each != wanted for each in counts):
        ready = int(status.get("readyReplicas") or 0)
        raise NotYet(condition, f"{ready} of {wanted} replicas are ready", look_again_s=LOOK_AGAIN_S)
    this.conditions.true(condition, f"{wanted} replicas are ready")
