"""The openstack operator: brings up the other operators, and the control plane's resources that they serve."""
