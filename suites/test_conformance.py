"""What can be seen of a deployment's promises without a crash: shape, connections, replication, ownership, drift."""

import pytest
from pytest_bdd import scenarios

pytestmark = pytest.mark.suite("conformance")

scenarios("../features/control_plane/service_boundaries.feature")
scenarios("../features/control_plane/identity.feature")
scenarios("../features/database/replication.feature")
scenarios("../features/control_plane/scale_out.feature")
scenarios("../features/operators/ownership.feature")
scenarios("../features/operators/reconciliation.feature")
