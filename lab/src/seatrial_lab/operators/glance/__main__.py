"""`python -m seatrial_lab.operators.glance`: what the operator's pod runs."""

from seatrial_lab.operators.common.runtime import serve
from seatrial_lab.operators.glance.api import GLANCE_API_CONTROLLER
from seatrial_lab.operators.glance.glance import GLANCE_CONTROLLER

if __name__ == "__main__":
    serve("glance", (GLANCE_CONTROLLER, GLANCE_API_CONTROLLER))
