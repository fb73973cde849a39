#!/bin/sh
# Prepares the broker's folder on its volume, and waits until the broker's own name can be resolved:
# Erlang gives up at once when it can't find itself, and the name appears a moment after the pod.
set -eu
home=/var/lib/rabbitmq
install -d -o "$BROKER_UID" -g "$BROKER_UID" "$home" "$home/mnesia" "$home/log"
install -o "$BROKER_UID" -g "$BROKER_UID" -m 400 /run/secrets/erlang-cookie/.erlang.cookie "$home/.erlang.cookie"
install -o "$BROKER_UID" -g "$BROKER_UID" -m 400 /etc/rabbitmq/first.erl "$home/.erlang"

# The broker puts the folders of all plugins on its code path, enabled or not, and looks for each of a thousand modules
# in ninety folders: a third of the processor time of its start. Without plugins it gets to see its own libraries alone.
rm -rf "$RABBITMQ_PLUGINS_DIR"
mkdir "$RABBITMQ_PLUGINS_DIR"
for folder in /usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins/*; do
  name=${folder##*/}
  case $(cat /etc/rabbitmq/enabled_plugins):$name in
    *:rabbitmq_prelaunch*) ;;
    "[].:rabbitmq_"*) continue ;;
  esac
  ln -s "$folder" "$RABBITMQ_PLUGINS_DIR/$name"
done

for _ in $(seq 100); do
  getent hosts "${RABBITMQ_NODENAME#rabbit@}" >/dev/null && exit 0
  sleep 0.2
done
echo "no address for ${RABBITMQ_NODENAME#rabbit@}" >&2
exit 1
