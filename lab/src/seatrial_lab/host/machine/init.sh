#!/bin/sh
# What runs inside a machine from its start to its end: first each file of /etc/boot.d, then every service in /etc/service.
# SIGTERM is a clean shutdown: services are stopped, and waited for, before the machine goes.
cd /
ip link set lo up
for script in /etc/boot.d/*; do [ ! -x "$script" ] || "$script" || echo "$script failed"; done
runsvdir -P /etc/service &
services=$!
trap 'kill $services; sv -w 15 force-shutdown /etc/service/*; exit 0' TERM
wait $services
