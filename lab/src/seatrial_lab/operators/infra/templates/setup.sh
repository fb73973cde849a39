#!/bin/sh
# Prepares the broker's folder on its volume, and waits until the broker's own name can be resolved:
# Erlang gives up at once when it can't find itself, and the name appears a moment after the pod.
set -eu
home=/var/lib/rabbitmq
install -d -o "$BROKER_UID" -g "$BROKER_UID" "$home" "$home/mnesia" "$home/log"
install -o "$BROKER_UID" -g "$BROKER_UID" -m 400 /run/secrets/erlang-cookie/.erlang.cookie "$home/.erlang.cookie"
for _ in $(seq 100); do
  getent hosts "${RABBITMQ_NODENAME#rabbit@}" >/dev/null && exit 0
  sleep 0.2
done
echo "no address for ${RABBITMQ_NODENAME#rabbit@}" >&2
exit 1
