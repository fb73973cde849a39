"""`python -m seatrial_lab.operators.ovn`: what the operator's pod runs."""

from seatrial_lab.operators.common.runtime import serve
from seatrial_lab.operators.ovn import controller, database, northd

if __name__ == "__main__":
    serve("ovn", (database.CONTROLLER, northd.CONTROLLER, controller.CONTROLLER))
