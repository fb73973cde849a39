"""Pure functions from Evidence to a Verdict, one module per requirement; no client, no clock, no environment.

Each says in its docstring what it does not see. None of them takes silence for consent: evidence that is missing,
blind or empty makes *inconclusive*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from seatrial.checks import api_1, api_3, db_4, db_5, msg_2, ops_1, ops_2, ops_3, scale_1
from seatrial.model.observation import Evidence
from seatrial.model.requirement import RequirementId
from seatrial.model.verdict import Verdict

CHECKS: Mapping[RequirementId, Callable[[Evidence], Verdict]] = {
    RequirementId("API-1"): api_1.check,
    RequirementId("API-3"): api_3.check,
    RequirementId("DB-4"): db_4.check,
    RequirementId("DB-5"): db_5.check,
    RequirementId("MSG-2"): msg_2.check,
    RequirementId("SCALE-1"): scale_1.check,
    RequirementId("OPS-1"): ops_1.check,
    RequirementId("OPS-2"): ops_2.check,
    RequirementId("OPS-3"): ops_3.check,
}

__all__ = ["CHECKS"]
