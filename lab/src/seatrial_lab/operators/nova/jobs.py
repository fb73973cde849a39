"""The Jobs that see to a cell's tables and its place in the API's database. All run `cell.py` (see `templates`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from seatrial_lab.operators.common import workloads
from seatrial_lab.operators.common.reconciler import Round
from seatrial_lab.operators.common.resources import CRON_JOB, Json
from seatrial_lab.operators.common.secrets import secret
from seatrial_lab.operators.common.workloads import HOME, Runs
from seatrial_lab.operators.nova.config import TEMPLATES

SCRIPTS: Final = "/var/lib/openstack/bin"
AT_NIGHT: Final = "0 0 * * *"
HISTORY: Final = {"concurrencyPolicy": "Forbid", "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1}


async def scripts(this: Round, base: str, label: str) -> None:
    """See to the Secret `<base>-scripts`, as RHOSO has it, from which Jobs get what they run."""
    found = {"cell.py": (TEMPLATES / "cell.py").read_text()}
    await this.apply(secret(f"{base}-scripts", {label: this.name}, found))


def job(name: str, base: str, runs: Runs, *, act: str, cell: str, inputs: str = "") -> Json:
    """One act of `cell.py` with the configuration `<base>-config-data`; other `inputs` make it another Job."""
    configuration, at = workloads.config_volume(f"{base}-config-data", "/etc/nova")
    volume = {"name": "scripts", "secret": {"secretName": f"{base}-scripts", "defaultMode": 0o440}}
    mount = {"name": "scripts", "mountPath": SCRIPTS, "readOnly": True}
    command = ["catatonit", "--", f"{HOME}/bin/python", f"{SCRIPTS}/cell.py", act, cell]
    env = [
        {"name": "OS_NOVA_DISABLE_EVENTLET_PATCHING", "value": "true"},
        {"name": "INPUT_HASH", "value": inputs},
    ]
    with_files = replace(runs, volumes=[configuration, volume], mounts=[at, mount])
    return workloads.job(name, with_files, command, what=act, env=env)


def purge(name: str, base: str, runs: Runs, *, cell: str) -> Json:
    """The CronJob that keeps a cell's tables small."""
    spec = job(name, base, runs, act="purge", cell=cell)["spec"]
    return {
        "apiVersion": CRON_JOB.api_version,
        "kind": CRON_JOB.kind,
        "metadata": {"name": name, "labels": {"service": "nova-conductor"}},
        "spec": {"schedule": AT_NIGHT, **HISTORY, "jobTemplate": {"spec": spec}},
    }
