"""One of the instances behind Keystone's Services answers requests that carry no token."""

from __future__ import annotations

from seatrial_lab.platform.apply import Kubectl
from seatrial_lab.violations.deviation import Violation
from seatrial_lab.violations.impostor import stand_in, step_back

NAME = "keystone-tokenless"


def _apply(kubectl: Kubectl) -> None:
    secret = {"secretKeyRef": {"name": "osp-secret", "key": "AdminPassword"}}
    stand_in(kubectl, NAME, ["tokenless"], [{"name": "ADMIN_PASSWORD", "valueFrom": secret}])


def _revert(kubectl: Kubectl) -> None:
    step_back(kubectl, NAME)


VIOLATION = Violation("tokenless-keystone", "API-3", "Keystone answers requests without a token", _apply, _revert)
