"""What holds while parts of a deployment are broken on purpose."""

import pytest
from pytest_bdd import scenarios

pytestmark = pytest.mark.suite("resilience")

scenarios("../features/database/member_loss.feature")
scenarios("../features/messaging/member_loss.feature")
scenarios("../features/operators/independence.feature")
