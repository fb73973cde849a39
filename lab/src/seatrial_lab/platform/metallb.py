"""MetalLB's own manifests, as the lab runs them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seatrial_lab.host.certificates import Authority
from seatrial_lab.platform.apply import read
from seatrial_lab.topology import IMAGE

PROGRAMS = {"Deployment": "controller", "DaemonSet": "speaker"}
REQUESTS = {"requests": {"cpu": "5m", "memory": "32Mi"}}
WEBHOOK = "metallb-webhook"
HOST = f"{WEBHOOK}-service.metallb-system.svc"


def issue_certificates(pki: Path) -> None:
    """Issue what its webhook shows: by itself it makes one after its start, and sees it a minute later."""
    Authority(pki, f"{WEBHOOK}-ca").issue(WEBHOOK, user=HOST, hosts=[HOST])


def manifests(file: Path, pki: Path) -> list[dict[str, Any]]:
    """Return the documents, with our image and command, our certificate, and without what the lab does not need."""
    documents = read(file.read_text())
    for client in _webhooks(documents):
        client["caBundle"] = _encoded(pki / f"{WEBHOOK}-ca.crt")
    for document in documents:
        if document["kind"] == "Secret" and document["metadata"]["name"] == f"{WEBHOOK}-cert":
            document["data"] = {f"tls.{end}": _encoded(pki / f"{WEBHOOK}.{end}") for end in ("crt", "key")}
        elif document["kind"] in PROGRAMS:
            _adapt(document["spec"]["template"]["spec"]["containers"], PROGRAMS[document["kind"]])
    return documents


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def _adapt(containers: list[dict[str, Any]], program: str) -> None:
    for container in containers:
        container.update(image=IMAGE, imagePullPolicy="Never", command=[f"/opt/lab/bin/{program}"], resources=REQUESTS)
        if program == "controller":
            container["args"].append("--disable-cert-rotation")
        container.get("readinessProbe", {}).update(initialDelaySeconds=1, periodSeconds=5, timeoutSeconds=5)
        container.get("livenessProbe", {}).update(periodSeconds=20, timeoutSeconds=10, failureThreshold=6)


def _webhooks(value: object) -> Iterator[dict[str, Any]]:
    """Yield whatever says how the API server reaches a webhook."""
    if isinstance(value, dict):
        if isinstance(value.get("clientConfig"), dict):
            yield value["clientConfig"]
        for inner in value.values():
            yield from _webhooks(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _webhooks(inner)
