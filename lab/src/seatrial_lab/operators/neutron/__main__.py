"""`python -m seatrial_lab.operators.neutron`: what the operator's pod runs."""

from seatrial_lab.operators.common.runtime import serve
from seatrial_lab.operators.neutron.api import CONTROLLER

if __name__ == "__main__":
    serve("neutron", (CONTROLLER,))
