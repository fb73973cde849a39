"""What tests of a whole cloud have in common."""

from __future__ import annotations

from collections.abc import Iterator

import openstack
import pytest
from openstack.connection import Connection

from tests.conftest import Lab


@pytest.fixture(scope="module")
def admin(full: Lab) -> Iterator[Connection]:
    """The administrator, as the lab's clouds.yaml says."""
    config = openstack.config.OpenStackConfig(config_files=[str(full.target.parent / "clouds.yaml")])
    with Connection(config=config.get_one("seatrial-lab")) as cloud:
        yield cloud
