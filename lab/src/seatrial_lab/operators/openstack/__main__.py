"""`python -m seatrial_lab.operators.openstack init|manager`: what the operator's pods run.

init serves `OpenStack`: one Deployment for each operator, the manager among them.
manager serves `OpenStackControlPlane`: one resource for each part of the control plane.
"""

import argparse

from seatrial_lab.operators.common.runtime import serve
from seatrial_lab.operators.openstack import control_plane, operators

MODES = {
    "init": ("openstack-init", operators.CONTROLLER),
    "manager": ("openstack", control_plane.CONTROLLER),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="openstack-operator", description=__doc__)
    parser.add_argument("mode", choices=sorted(MODES))
    name, controller = MODES[parser.parse_args().mode]
    serve(name, (controller,))
