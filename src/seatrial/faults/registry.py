"""Every kind of fault by its name, and the way back from a journalled name and parameters to the fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from seatrial.faults.absence import ScaleAway
from seatrial.faults.compose import Together
from seatrial.faults.config import AlterConfigMap
from seatrial.faults.drift import DeleteObject, SetReplicas
from seatrial.faults.fixture_pod import AgentPod
from seatrial.faults.fixture_projects import KeystoneProjects
from seatrial.faults.fixture_queue import BrokerQueue
from seatrial.faults.fixture_schema import SqlSchema
from seatrial.faults.given import Given
from seatrial.faults.pod import DeletePod
from seatrial.faults.process import KillProcess, PauseProcess
from seatrial.model.errors import BadInput, Problem
from seatrial.model.fault import Fault
from seatrial.model.observation import Json

Make = Callable[[Given], Fault]
"""Makes a fault of parameters; notes in what it is given what is wrong with them."""


def build(kind: str, parameters: Mapping[str, Json]) -> Fault:
    """Return the fault of this kind with these parameters; raises BadInput that names everything wrong at once."""
    if kind not in KINDS:
        nearest = get_close_matches(kind, KINDS, n=1)
        raise BadInput([Problem("fault", repr(kind), ", ".join(sorted(KINDS)), nearest[0] if nearest else None)])
    given = Given(f"fault {kind}", parameters)
    fault = KINDS[kind](given)
    given.refuse_rest()
    return fault


def _together(given: Given) -> Together:
    parts = [Given("fault together.parts", part) for part in given.items("parts") if isinstance(part, dict)]
    return Together(tuple(build(part.text("kind"), part.mapping("parameters")) for part in parts))


KINDS: Mapping[str, Make] = {
    DeletePod.kind: DeletePod.from_given,
    KillProcess.kind: KillProcess.from_given,
    PauseProcess.kind: PauseProcess.from_given,
    ScaleAway.kind: ScaleAway.from_given,
    DeleteObject.kind: DeleteObject.from_given,
    SetReplicas.kind: SetReplicas.from_given,
    AlterConfigMap.kind: AlterConfigMap.from_given,
    AgentPod.kind: AgentPod.from_given,
    SqlSchema.kind: SqlSchema.from_given,
    BrokerQueue.kind: BrokerQueue.from_given,
    KeystoneProjects.kind: KeystoneProjects.from_given,
    Together.kind: _together,
}
"""Every kind of fault that a plan, an experiment or a journal can name, and how to make it."""
