"""Makes the run that is kept of a format: ``python -m tests.fake.keep FOLDER``; a kept one is never made again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from seatrial import waiting
from seatrial.clients.looking import look
from seatrial.engine.identity import identify
from seatrial.engine.session import Session
from seatrial.journal.codec import encode
from seatrial.journal.folder import RunFolder
from seatrial.model.journal import EventKind
from seatrial.model.requirement import RequirementId
from seatrial.model.run import FORMAT, Plan
from tests.fake.clock import installed
from tests.fake.kinds import MAKE
from tests.fake.platform import Deployment, Platform


def keep(path: Path) -> None:
    """Store a run that judged one promise and was killed with one injection of each kind open."""
    with pytest.MonkeyPatch.context() as patch:
        deployment: Any = Deployment(Platform(installed(patch)))
        requirement = RequirementId("DB-4")
        plan = Plan("fake", "kept", 1, (requirement,), ("kept",), "disrupt", waiting.budgets({}), {"*": 9})
        path.mkdir(parents=True)
        folder = RunFolder(path)
        folder.evidence.mkdir()
        identity = identify(deployment)
        session = Session(deployment.target, folder, plan, deployment=deployment, identity=identity)
        session.note(EventKind.PHASE, {"name": "opened", "format": FORMAT, "identity": identity.as_data()})
        with session.scenario("kept"):
            session.record(look("galera.status", "pod/openstack/openstack-galera-0", lambda: {"wsrep_ready": "ON"}))
            session.judge(requirement)
        inventory = session.inventory()
        for make in MAKE.values():
            fault = make()
            prepared = encode(fault.prepare(deployment, inventory, 1)) | {"deployment": identity.as_data()}
            session.journal.append(EventKind.PREPARED, prepared)
            session.journal.append(EventKind.INJECTING, {"injection": prepared["id"]})


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
