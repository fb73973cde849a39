"""Everything: what can be seen in calm, then what holds while parts are broken on purpose; one run, one report."""

import pytest
from pytest_bdd import scenarios

pytestmark = pytest.mark.suite("acceptance")

scenarios("../features")
