"""`python -m seatrial_lab.operators.keystone`: what the operator's pod runs."""

from seatrial_lab.operators.common.runtime import serve
from seatrial_lab.operators.keystone.api import KEYSTONE_API_CONTROLLER
from seatrial_lab.operators.keystone.registry import KEYSTONE_ENDPOINT_CONTROLLER, KEYSTONE_SERVICE_CONTROLLER

if __name__ == "__main__":
    serve("keystone", (KEYSTONE_API_CONTROLLER, KEYSTONE_SERVICE_CONTROLLER, KEYSTONE_ENDPOINT_CONTROLLER))
