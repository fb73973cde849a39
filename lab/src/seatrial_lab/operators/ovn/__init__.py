"""The ovn operator: OVN's databases, northd, and the gateways (OVNDBCluster, OVNNorthd, OVNController)."""
