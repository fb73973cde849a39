"""`python -m seatrial_lab.operators.openstack init|manager`: what the operator's pods run.

init serves `OpenStack`: one Deployment for each operator, the manager among them.
manager serves `OpenStackControlPlane`: one resource for each part of the control plane; and the data plane.
"""

import argparse

from seatrial_lab.operators.common.runtime import serve
from seatrial_lab.operators.openstack import control_plane, operators
from seatrial_lab.operators.openstack.dataplane import deployment, node_set

MODES = {
    "init": ("openstack-init", (operators.CONTROLLER,)),
    "manager": ("openstack", (control_plane.CONTROLLER, node_set.CONTROLLER, deployment.CONTROLLER)),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="openstack-operator", description=__doc__)
    parser.add_argument("mode", choices=sorted(MODES))
    name, controllers = MODES[parser.parse_args().mode]
    serve(name, controllers)
