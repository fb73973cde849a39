"""Everything, calm things first: what can be seen, then what holds while parts are broken on purpose."""

import pytest
from pytest_bdd import scenarios

pytestmark = pytest.mark.suite("acceptance")

scenarios("../features/control_plane/service_boundaries.feature")
scenarios("../features/control_plane/identity.feature")
scenarios("../features/database/replication.feature")
scenarios("../features/control_plane/scale_out.feature")
scenarios("../features/operators/ownership.feature")
scenarios("../features/operators/reconciliation.feature")
scenarios("../features/database/member_loss.feature")
scenarios("../features/messaging/member_loss.feature")
scenarios("../features/operators/independence.feature")
