"""One fault of each kind, and one piece of equipment of each, as the small cloud can bear them."""

from __future__ import annotations

from collections.abc import Callable

from seatrial.faults.absence import ScaleAway
from seatrial.faults.compose import together
from seatrial.faults.config import AlterConfigMap
from seatrial.faults.drift import DeleteObject, SetReplicas
from seatrial.faults.fixture_pod import AgentPod
from seatrial.faults.fixture_projects import KeystoneProjects
from seatrial.faults.fixture_queue import BrokerQueue
from seatrial.faults.fixture_schema import SqlSchema
from seatrial.faults.pod import DeletePod
from seatrial.faults.process import KillProcess, PauseProcess
from seatrial.model.fault import Fault, Pick, Selector
from tests.fake.platform import SPACE

ONE = Selector("galera", Pick.NAMED, "openstack-galera-1")
BROKER = Selector("rabbitmq", Pick.NAMED, "rabbitmq-server-1")
OPERATORS = Selector("operators", Pick.ALL)
MAKE: dict[str, Callable[[], Fault]] = {
    DeletePod.kind: lambda: DeletePod(ONE),
    KillProcess.kind: lambda: KillProcess(ONE),
    PauseProcess.kind: lambda: PauseProcess(OPERATORS),
    ScaleAway.kind: lambda: ScaleAway(OPERATORS),
    DeleteObject.kind: lambda: DeleteObject("Service", "keystone-internal", SPACE),
    AlterConfigMap.kind: lambda: AlterConfigMap("keystone-config-data", SPACE),
    SetReplicas.kind: lambda: SetReplicas("keystone", 3),
    AgentPod.kind: AgentPod,
    SqlSchema.kind: SqlSchema,
    BrokerQueue.kind: BrokerQueue,
    KeystoneProjects.kind: KeystoneProjects,
    "together": lambda: together(DeletePod(ONE), PauseProcess(BROKER)),
}
EQUIPMENT = {AgentPod.kind, SqlSchema.kind, BrokerQueue.kind, KeystoneProjects.kind}
