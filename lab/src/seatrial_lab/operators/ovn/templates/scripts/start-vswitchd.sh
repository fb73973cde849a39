#!/bin/sh
# Wires the pod's devices into Open vSwitch and runs it. There is no kernel datapath: an address that tunnels start from
# must be that of a bridge of Open vSwitch's own, with the device as its port.
set -eu
vsctl="ovs-vsctl --no-wait --timeout=30"

bridge() { # name, device
  ip link set "$2" up promisc on
  $vsctl -- --may-exist add-br "$1" -- set Bridge "$1" datapath_type=netdev fail-mode=standalone \
    "other-config:hwaddr=\"$(cat "/sys/class/net/$2/address")\"" -- --may-exist add-port "$1" "$2"
}

# Of what arrives at the device the kernel sees a copy; to answer it too would be once too often.
deaf() {
  nft -f - <<RULES
table inet tunnel
delete table inet tunnel
table inet tunnel {
  chain input {
    type filter hook input priority 0
    iifname "$1" drop
  }
}
RULES
}

give_address() {
  until ip link show br-tenant >/dev/null 2>&1; do sleep 0.2; done
  ip addr replace "$1" dev br-tenant
  ip link set br-tenant up
}

until $vsctl init >/dev/null 2>&1; do sleep 0.2; done
# A chassis is known by its system-id: the same after the node's disk was lost, or the old one would stay in OVN's database.
id=$(printf %s "$NODE_NAME" | md5sum | sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/\1-\2-\3-\4-\5/')
$vsctl set Open_vSwitch . "external_ids:system-id=$id" "external_ids:hostname=$NODE_NAME" \
  external_ids:rundir=/run/openvswitch other_config:n-handler-threads=1 other_config:n-revalidator-threads=1
for name in $PHYSICAL_NETWORKS; do bridge "br-$name" "$name"; done
if [ -n "$TUNNEL_NETWORK" ]; then
  bridge br-tenant "$TUNNEL_NETWORK"
  address=$(ip -o -4 addr show dev "$TUNNEL_NETWORK" | awk '{print $4; exit}')
  # Where this container is not the pod's first, the address has been moved before.
  [ -n "$address" ] || address=$($vsctl get Bridge br-tenant external_ids:address | tr -d '"')
  $vsctl set Bridge br-tenant "external_ids:address=\"$address\"" \
    -- set Open_vSwitch . "external_ids:ovn-encap-ip=${address%/*}"
  ip addr flush dev "$TUNNEL_NETWORK"
  deaf "$TUNNEL_NETWORK"
  (give_address "$address" &)
else
  $vsctl set Open_vSwitch . "external_ids:ovn-encap-ip=$POD_IP"
fi
exec ovs-vswitchd -vconsole:"$OVS_LOG_LEVEL" --pidfile=/run/openvswitch/ovs-vswitchd.pid unix:/run/openvswitch/db.sock
