"""`python -m seatrial_lab.operators.nova`: what the operator's pod runs."""

from seatrial_lab.operators.common.runtime import serve
from seatrial_lab.operators.nova.cell import NOVA_CELL_CONTROLLER
from seatrial_lab.operators.nova.nova import NOVA_CONTROLLER
from seatrial_lab.operators.nova.services import SERVICE_CONTROLLERS

if __name__ == "__main__":
    serve("nova", (NOVA_CONTROLLER, NOVA_CELL_CONTROLLER, *SERVICE_CONTROLLERS))
