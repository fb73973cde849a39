#!/bin/sh
# What a server does with the answers of DHCP: sets its address, routes and MTU, then asks for its metadata, once.
# Called by udhcpc in the server's namespace; SERVER is the server's folder.
why=$1
case $why in
deconfig)
  ip -4 addr flush dev "$interface"
  ;;
bound | renew)
  ip addr replace "$ip/$mask" broadcast + dev "$interface"
  [ -z "$mtu" ] || ip link set "$interface" mtu "$mtu"
  [ -z "$router" ] || ip route replace default via "${router%% *}" dev "$interface"
  set -- $staticroutes
  while [ $# -ge 2 ]; do
    # A route without gateway is one to what is on this link.
    [ "$2" = 0.0.0.0 ] && via= || via="via $2"
    ip route replace "$1" $via dev "$interface"
    shift 2
  done
  printf '%s' "${dns:+$(printf 'nameserver %s\n' $dns)}" >"$SERVER/resolv.conf"
  [ "$why" = renew ] || (
    # Not busybox' wget: Debian's ends with a segmentation fault.
    fetch='import sys, urllib.request as web; print(web.urlopen(sys.argv[1], timeout=5).read().decode())'
    while [ -d "$SERVER" ] && [ ! -e "$SERVER/meta_data.json" ]; do
      python3 -c "$fetch" http://169.254.169.254/openstack/latest/meta_data.json >"$SERVER/.asked" &&
        mv "$SERVER/.asked" "$SERVER/meta_data.json" || sleep 3
    done
  ) >/dev/null 2>&1 &
  ;;
esac
