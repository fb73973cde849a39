"""NetworkPolicy on pod traffic: an agent a node, which turns policies into nftables rules."""
