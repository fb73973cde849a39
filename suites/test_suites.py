"""Every scenario, bound once; ``--suite`` selects by tag, and a trial does calm things first, else in this order."""

import pytest
from pytest_bdd import scenarios

pytestmark = pytest.mark.suite("acceptance")

_FIRST = (
    "control_plane/service_boundaries",
    "control_plane/identity",
    "database/replication",
    "control_plane/scale_out",
    "operators/ownership",
    "operators/reconciliation",
    "database/member_loss",
    "messaging/member_loss",
    "operators/independence",
)
for _feature in _FIRST:
    scenarios(f"../features/{_feature}.feature")
scenarios("../features")
