"""The neutron operator: OpenStack's networks, by ML2 with OVN (NeutronAPI)."""
