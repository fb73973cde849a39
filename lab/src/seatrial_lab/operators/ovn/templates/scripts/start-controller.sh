#!/bin/sh
# Tells the node's Open vSwitch what kind of chassis it is, and runs OVN's controller.
set -eu
until ovs-vsctl --no-wait --timeout=5 get Open_vSwitch . external_ids:system-id >/dev/null 2>&1; do sleep 0.5; done
echo "$EXTERNAL_IDS" | xargs ovs-vsctl --no-wait --timeout=30 set Open_vSwitch .
exec ovn-controller -vconsole:"$OVN_LOG_LEVEL" --pidfile=/run/ovn/ovn-controller.pid unix:/run/openvswitch/db.sock
