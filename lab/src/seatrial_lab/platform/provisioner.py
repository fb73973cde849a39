"""Node-local volumes: makes a PersistentVolume for each claim on the node that its pod was scheduled to.

Runs as a pod, which makes a volume's folder and removes it when the claim is gone. A volume carries node affinity, so
that its pod never starts elsewhere: like LVMS in a RHOSO.
"""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path
from typing import Any

from kubernetes import client, config, watch
from urllib3.exceptions import HTTPError

PROVISIONER = "seatrial-lab/local"
CONFLICT = 409
LOOK_AGAIN_S = 20
log = logging.getLogger("provisioner")


def volume_of(claim: Any, folder: Path) -> dict[str, Any] | None:
    """Return the volume that a claim is waiting for; None when there is nothing to do for it."""
    notes = claim.metadata.annotations or {}
    node = notes.get("volume.kubernetes.io/selected-node")
    ours = notes.get("volume.kubernetes.io/storage-provisioner") == PROVISIONER
    if claim.status.phase != "Pending" or not ours or not node:
        return None
    name = f"pvc-{claim.metadata.uid}"
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "capacity": {"storage": claim.spec.resources.requests["storage"]},
            "accessModes": claim.spec.access_modes,
            "storageClassName": claim.spec.storage_class_name,
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": claim.metadata.namespace,
                "name": claim.metadata.name,
                "uid": claim.metadata.uid,
            },
            "hostPath": {"path": str(folder / node / name), "type": "Directory"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }


def provision(core: Any, folder: Path) -> str:
    """Make what every claim waits for, and remove what no claim holds any more; returns as of which version of them."""
    claims = core.list_persistent_volume_claim_for_all_namespaces()
    for claim in claims.items:
        volume = volume_of(claim, folder)
        if volume is not None:
            _make(Path(volume["spec"]["hostPath"]["path"]))
            try:
                core.create_persistent_volume(volume)
                log.info("%s for %s/%s", volume["metadata"]["name"], claim.metadata.namespace, claim.metadata.name)
            except client.ApiException as error:
                if error.status != CONFLICT:
                    raise
    for volume in core.list_persistent_volume().items:
        notes = volume.metadata.annotations or {}
        ours = notes.get("pv.kubernetes.io/provisioned-by") == PROVISIONER
        if ours and volume.status.phase in ("Released", "Failed"):
            shutil.rmtree(volume.spec.host_path.path, ignore_errors=True)
            core.delete_persistent_volume(volume.metadata.name)
    return str(claims.metadata.resource_version)


def _make(path: Path) -> None:
    """Make a volume's folder; whoever the claim's pods run as may write to it, the folders above are root's alone."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o777)


def main(folder: Path) -> None:
    """Act on every change of a claim, and now and then besides; an error of the connection ends the process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config.load_incluster_config()
    core = client.CoreV1Api()
    while True:
        known = provision(core, folder)
        claims = core.list_persistent_volume_claim_for_all_namespaces
        try:
            for change in watch.Watch().stream(claims, resource_version=known, timeout_seconds=LOOK_AGAIN_S):
                if int(change["object"].metadata.resource_version) > int(known):  # else that round knew of it
                    known = provision(core, folder)
        except HTTPError as error:
            log.warning("watch ended: %s", error)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
