"""A fault that lacks any right, be it one that only its undoing needs, is refused by name, and nothing was touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seatrial import waiting
from seatrial.engine.identity import identify
from seatrial.engine.rights import namespace_of, told
from seatrial.engine.session import Session
from seatrial.journal.folder import RunFolder
from seatrial.model.errors import NotPermitted
from seatrial.model.journal import EventKind
from seatrial.model.run import Plan
from tests.fake.clock import Clock, installed
from tests.fake.kinds import EQUIPMENT, MAKE
from tests.fake.platform import Deployment, Platform

CHANGES = ("create", "replace", "patch", "delete", "exec")


class Restricted(Platform):
    """A platform on which one right is missing."""

    denied: tuple[str, str, str | None] = ("", "", None)

    def can_i(self, verb: str, resource: str, namespace: str | None) -> bool:
        return super().can_i(verb, resource, namespace) and (verb, resource, namespace) != self.denied


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    with pytest.MonkeyPatch.context() as patch:
        yield installed(patch)


@pytest.mark.parametrize("kind", sorted(set(MAKE)))
def test_each_missing_right_refuses_the_fault_by_name(clock: Clock, tmp_path: Path, kind: str) -> None:
    """Before the journal says *prepared*, and before the platform hears of anything but questions."""
    fault = MAKE[kind]()
    for number, right in enumerate(dict.fromkeys(fault.rights())):
        platform = Restricted(clock)
        deployment: Any = Deployment(platform)
        platform.denied = (right.verb, right.resource, namespace_of(right, deployment.target))
        folder = RunFolder.create(tmp_path / str(number), "fake", "rights")
        plan = Plan("fake", "rights", 1, (), (), "disrupt", waiting.budgets({}), {})
        session = Session(deployment.target, folder, plan, deployment=deployment, identity=identify(deployment))
        before, put = platform.facts(), session.equip if kind in EQUIPMENT else session.disrupt
        with session.scenario("refused"), pytest.raises(NotPermitted) as refusal:
            put(fault)
        session.close()
        assert told([right], deployment.target) in str(refusal.value)
        assert [event for event in folder.events() if event.kind is EventKind.PREPARED] == []
        assert [request for request in platform.requests if request.startswith(CHANGES)] == []
        assert platform.facts() == before
