"""Jobs that must have run once for what they are made of, and not again until that changes."""

from __future__ import annotations

from typing import Final

from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import NotYet, Round
from seatrial_lab.operators.common.resources import JOB, Json

HASH: Final = "lab.openstack.org/job-hash"
LOOK_AGAIN_S: Final = 5.0


async def run_once(this: Round, condition: str, manifest: Json, *, what: str, keep: bool) -> None:
    """See to it that a Job of exactly this manifest has succeeded; NotYet until it has.

    The manifest's hash is kept in `status.hash` under the Job's name. The Job itself is removed only in a later round,
    when that hash is certain to have been written: an operator killed in between finds either of the two.
    """
    name = str(manifest["metadata"]["name"])
    wanted = hash_of(manifest)
    job = await this.get(JOB, name)
    if (this.status.get("hash") or {}).get(name) == wanted:
        if job is not None and not keep:
            await this.kube.delete(JOB, name, namespace=this.namespace, uid=job["metadata"]["uid"])
        this.conditions.true(condition, f"{what} completed")
        return
    if job is not None and (job["metadata"].get("annotations") or {}).get(HASH) != wanted:
        await this.kube.delete(JOB, name, namespace=this.namespace, uid=job["metadata"]["uid"])
        raise NotYet(condition, f"{what}: an outdated Job is being removed", look_again_s=1)
    if job is None:
        annotated = {**manifest["metadata"], "annotations": {HASH: wanted}}
        await this.create({**manifest, "metadata": annotated})
        raise NotYet(condition, f"{what} started", look_again_s=LOOK_AGAIN_S)
    status = job.get("status") or {}
    if any(c.get("type") == "Failed" and c.get("status") == "True" for c in status.get("conditions") or ()):
        raise NotYet(condition, f"{what} failed: see the pods of Job {name}", severity="Error")
    if not status.get("succeeded"):
        raise NotYet(condition, f"{what} in progress", look_again_s=LOOK_AGAIN_S)
    this.status["hash"] = {**(this.status.get("hash") or {}), name: wanted}
    this.look_again(1)  # then the Job goes
    this.conditions.true(condition, f"{what} completed")
