"""The last plugin in every node's CNI chain: attaches a pod to the networks that its annotation asks for.

It plays the part of Multus, and of whereabouts, in an OpenShift. Every pod start and end pays for this file, so it
imports nearly nothing; the work, for the few pods that ask, is done in `attachments`.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

NETWORKS = "k8s.v1.cni.cncf.io/networks"
ANNOTATIONS = "io.kubernetes.cri.pod-annotations"
"""The capability by which containerd hands the pod's annotations to a plugin."""
VERSIONS = ["0.3.0", "0.3.1", "0.4.0"]
FAILED = 100


def main() -> int:
    """Serve one call of the container runtime, as the CNI specification says."""
    command = os.environ["CNI_COMMAND"]
    said = json.loads(sys.stdin.buffer.read() or b"{}")
    if command == "VERSION":
        return _answer({"cniVersion": VERSIONS[-1], "supportedVersions": VERSIONS})
    asked = ((said.get("runtimeConfig") or {}).get(ANNOTATIONS) or {}).get(NETWORKS)
    record = f"{said['records']}/{os.environ['CNI_CONTAINERID']}"
    try:
        if command == "ADD" and asked:
            from seatrial_lab.platform import attachments  # noqa: PLC0415 (see above)

            attachments.attach(said, asked, record)
        elif command in ("DEL", "CHECK") and os.access(record, os.F_OK):
            from seatrial_lab.platform import attachments  # noqa: PLC0415 (see above)

            (attachments.detach if command == "DEL" else attachments.check)(record)
    except Exception as problem:  # the boundary: whatever it is, the event of the pod is to say it
        return _answer({"cniVersion": said.get("cniVersion"), "code": FAILED, "msg": str(problem)}, status=1)
    return _answer(said["prevResult"]) if command == "ADD" else 0


def _answer(said: dict[str, Any], status: int = 0) -> int:
    sys.stdout.write(json.dumps(said))
    return status
