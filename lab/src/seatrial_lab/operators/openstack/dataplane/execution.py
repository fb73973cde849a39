"""One run of one service's playbook: the Job, and what became of it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seatrial_lab.operators.common.jobs import HASH
from seatrial_lab.operators.common.kube import hash_of
from seatrial_lab.operators.common.reconciler import Round
from seatrial_lab.operators.common.resources import JOB, POD, SECRET, Json
from seatrial_lab.operators.common.templates import render
from seatrial_lab.operators.openstack.dataplane.node_set import KEY, inventory_secret
from seatrial_lab.operators.openstack.dataplane.sources import Source

TEMPLATES: Final = Path(__file__).parent / "templates"
IMAGE: Final = "lab.local/base:1"
LONGEST: Final = 63
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_FATAL: Final = re.compile(r"fatal: \[(?P<host>[^\]]+)\]: (?P<what>UNREACHABLE|FAILED)! => (?P<answer>\{.*)")
_TOLD: Final = re.compile(r'"(?:stderr|msg)": "(?P<text>(?:[^"\\]|\\.)+)"')


@dataclass(frozen=True, slots=True)
class Run:
    """What is to be run: one service of a deployment, on one NodeSet or on all of them."""

    service: Json
    deployment: Json
    node_sets: Sequence[Json]
    sources: Sequence[Source]

    @property
    def name(self) -> str:
        """The Job's name, as RHOSO's operator makes it."""
        parts = [self.service["metadata"]["name"], self.deployment["metadata"]["name"]]
        if not self.service["spec"].get("deployOnAllNodeSets"):
            parts.append(self.node_sets[0]["metadata"]["name"])
        name = "-".join(parts)
        return name if len(name) <= LONGEST else f"{name[: LONGEST - 11].rstrip('-.')}-{hash_of(name)[:10]}"

    @property
    def kind(self) -> str:
        """Of which kind the service is, whatever it is called."""
        return str(self.service["spec"].get("edpmServiceType") or self.service["metadata"]["name"])

    def arguments(self) -> list[str]:
        """What ansible-playbook is told beyond the playbook."""
        spec = self.deployment["spec"]
        options = {"--limit": "ansibleLimit", "--tags": "ansibleTags", "--skip-tags": "ansibleSkipTags"}
        found = [f"{option}={spec[field]}" for option, field in options.items() if spec.get(field)]
        extra = {"edpm_service_type": self.kind, **(spec.get("ansibleExtraVars") or {})}
        return [*found, f"--extra-vars={json.dumps(extra, sort_keys=True)}"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far a run has come."""

    done: bool
    message: str = ""
    severity: str = "Info"


async def execute(this: Round, run: Run) -> Outcome:
    """See to it that the Job exists, and tell how it goes.

    A Job that has not succeeded and whose inputs changed since is replaced: that is how a corrected mistake is
    recovered from. One that has succeeded is never run again for the same deployment.
    """
    manifest = _manifest(run)
    inputs = [source.fingerprint for source in run.sources]
    wanted = hash_of([manifest, inputs, [n["status"].get("configHash") for n in run.node_sets]])
    manifest["metadata"]["annotations"] = {HASH: wanted}
    job = await this.get(JOB, run.name)
    if job is None:
        await this.create(manifest)
        return Outcome(done=False, message=f"Job {run.name} started")
    status = job.get("status") or {}
    if status.get("succeeded"):
        return Outcome(done=True)
    if (job["metadata"].get("annotations") or {}).get(HASH) != wanted:
        await this.kube.delete(JOB, run.name, namespace=this.namespace, uid=job["metadata"]["uid"])
        this.look_again(1)
        return Outcome(done=False, message=f"Job {run.name} has outdated inputs and is replaced")
    if not status.get("failed"):
        return Outcome(done=False, message=f"Job {run.name} is running")
    why = await _why(this, run.name)
    if any(c.get("type") == "Failed" and c.get("status") == "True" for c in status.get("conditions") or ()):
        advice = "correct it and delete the Job to try again"
        return Outcome(done=False, message=f"Job {run.name} failed for good: {why}; {advice}", severity="Error")
    tries = f"attempt {status['failed']} failed, another follows"
    return Outcome(done=False, message=f"Job {run.name}: {tries}: {why}", severity="Warning")


async def _why(this: Round, job: str) -> str:
    """The reason that the youngest failed pod of a Job gives."""
    pods = await this.list(POD, {"batch.kubernetes.io/job-name": job})
    pods.sort(key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True)
    for pod in pods:
        for container in (pod.get("status") or {}).get("containerStatuses") or ():
            ended = (container.get("state") or {}).get("terminated") or {}
            if ended.get("exitCode"):
                return reason(str(ended.get("message", "")))
    return "its pod is gone"


def reason(log: str) -> str:
    """What Ansible's output says went wrong on which node; its last line if it says nothing of the kind."""
    text = _COLOUR.sub("", log)
    found = []
    for match in _FATAL.finditer(text):
        told = [m["text"] for m in _TOLD.finditer(match["answer"])]
        words = (
            told[-1].removeprefix("Task failed: ").encode().decode("unicode_escape", errors="replace").strip()
            if told
            else "no reason given"
        )
        verb = "is unreachable" if match["what"] == "UNREACHABLE" else "failed"
        found.append(f"{match['host']} {verb}: {words}")
    lines = [line for line in text.splitlines() if line.strip()]
    return "; ".join(found)[:500] or (lines[-1][:500] if lines else "it said nothing")


def _manifest(run: Run) -> Json:
    first = run.node_sets[0]
    labels = {
        "app": "openstackansibleee",
        "openstackdataplaneservice": run.service["metadata"]["name"],
        "openstackdataplanedeployment": run.deployment["metadata"]["name"],
    }
    if not run.service["spec"].get("deployOnAllNodeSets"):
        labels["openstackdataplanenodeset"] = first["metadata"]["name"]
    namespace = first["metadata"]["namespace"]
    attached = first["spec"].get("networkAttachments") or ()
    [manifest] = render(
        TEMPLATES,
        "job.yaml.j2",
        name=run.name,
        labels=labels,
        account=first["metadata"]["name"],
        image=IMAGE,
        backoff=run.deployment["spec"].get("backoffLimit", 6),
        command=["ansible-runner", "run", "/runner", "-p", run.service["spec"]["playbook"]],
        arguments=shlex.join(run.arguments()),
        env=first["spec"].get("env") or [],
        networks=[{"name": name, "namespace": namespace, "interface": name} for name in attached],
        kind=run.kind,
        inventories={n["metadata"]["name"]: inventory_secret(n["metadata"]["name"]) for n in run.node_sets},
        keys={n["metadata"]["name"]: n["spec"]["nodeTemplate"]["ansibleSSHPrivateKeySecret"] for n in run.node_sets},
        key=KEY,
        sources=[
            {("secret" if s.resource == SECRET else "configMap"): {"name": s.name}} for s in run.sources if s.found
        ],
    )
    return manifest
