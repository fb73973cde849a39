#!/bin/sh
# Makes Open vSwitch's own database on the node, if there is none yet.
set -eu
database=/etc/openvswitch/conf.db
[ -s "$database" ] || ovsdb-tool create "$database" /usr/share/openvswitch/vswitch.ovsschema
