"""Questions and orders to running brokers, by RabbitMQ's own command line inside their pods."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from seatrial_lab.operators.common.kube import Kube, KubeError
from seatrial_lab.operators.common.reconciler import Round
from seatrial_lab.operators.common.resources import POD, Json

CONTAINER: Final = "rabbitmq"
# The command line starts an Erlang machine of its own: about a second, many times that on a busy lab.
ASK_S: Final = 60.0
MIRROR_POLICY: Final = "ha-all"


@dataclass(frozen=True, slots=True)
class Membership:
    """Who belongs to a cluster, and who of them runs, as one member sees it."""

    members: frozenset[str]
    running: frozenset[str]
    version: str


class Brokers:
    """A broker cluster, spoken to through one of its pods."""

    def __init__(self, kube: Kube, namespace: str, pod: str) -> None:
        self._kube, self._namespace, self._pod = kube, namespace, pod

    async def membership(self) -> Membership:
        """Who is in the cluster."""
        return membership_of(await self._run("rabbitmqctl", "cluster_status", "--formatter", "json"))

    async def forget(self, node: str) -> None:
        """Remove a member that won't come back, and its replicas of queues before."""
        await self._run("rabbitmq-queues", "shrink", node)
        await self._run("rabbitmqctl", "forget_cluster_node", node)

    async def grow(self, node: str) -> None:
        """Give a new member a replica of every quorum queue (RabbitMQ 3 does not do so by itself)."""
        await self._run("rabbitmq-queues", "grow", node, "all")

    async def mirror(self, wanted: bool) -> None:
        """Set, or take away, the policy that mirrors classic queues on all members."""
        policies = json.loads(await self._run("rabbitmqctl", "list_policies", "--formatter", "json"))
        there = any(policy.get("name") == MIRROR_POLICY for policy in policies)
        if wanted and not there:
            definition = json.dumps({"ha-mode": "all"})
            await self._run("rabbitmqctl", "set_policy", "--apply-to", "queues", MIRROR_POLICY, "", definition)
        if there and not wanted:
            await self._run("rabbitmqctl", "clear_policy", MIRROR_POLICY)

    async def _run(self, *argv: str) -> str:
        result = await self._kube.exec(
            self._pod, [*argv, "--quiet"], namespace=self._namespace, container=CONTAINER, timeout_s=ASK_S
        )
        if result.status != 0:
            said = (result.stderr or result.stdout).strip().splitlines()
            raise KubeError(f"{argv[0]} {argv[1]} in {self._pod}: status {result.status}, {' '.join(said[-2:])}")
        return result.stdout


def membership_of(answer: str) -> Membership:
    """Read `rabbitmqctl cluster_status --formatter json`."""
    status = json.loads(answer)
    versions = (status.get("versions") or {}).values()
    return Membership(
        frozenset(status.get("disk_nodes") or ()) | frozenset(status.get("ram_nodes") or ()),
        frozenset(status.get("running_nodes") or ()),
        next((str(version.get("rabbitmq_version", "")) for version in versions), ""),
    )


def incarnation(pod: Json) -> list[str]:
    """What changes whenever a broker's container is a new one."""
    containers = (pod.get("status") or {}).get("containerStatuses") or ()
    return [pod["metadata"]["name"], *sorted(str(container.get("containerID")) for container in containers)]


async def recover_file(this: Round, labels: Mapping[str, str], path: str) -> str | None:
    """A file as a running broker of this cluster has it, or None when none runs."""
    for pod in await this.list(POD, labels):
        states = (pod.get("status") or {}).get("containerStatuses") or ()
        if any("running" in (state.get("state") or {}) for state in states):
            result = await this.kube.exec(
                pod["metadata"]["name"], ["cat", path], namespace=this.namespace, container=CONTAINER
            )
            if result.status == 0 and result.stdout:
                return result.stdout.strip()
    return None
