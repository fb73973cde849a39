#!/bin/bash
# Starts one Galera member, in four steps:
#   1. finds out up to which transaction this member's data goes, and writes that where the operator reads it;
#   2. waits for the operator to say, in gcomm_uri, whether to found the cluster or which one to join;
#   3. if it joins: waits until the others have dropped what it was before;
#   4. becomes mariadbd.
# A member never decides by itself to found a cluster: two that did would be two clusters.
set -euo pipefail

readonly data=/var/lib/mysql
readonly scripts=/var/lib/operator-scripts
readonly config=/var/lib/config-data/galera.cnf
readonly nowhere=00000000-0000-0000-0000-000000000000:-1

say() { echo "detect_gcomm_and_start: $*"; }

# Whatever ids the machine gave to mysql: here they are those that the pod's volumes and token are open to.
sed -i '/^mysql:/d' /etc/passwd /etc/group
echo "mysql:x:${MYSQL_UID}:" >>/etc/group
echo "mysql:x:${MYSQL_UID}:${MYSQL_UID}::${data}:/usr/sbin/nologin" >>/etc/passwd
mkdir -p /run/mysqld
# What an earlier life of this container was told, and its last view, mean nothing now.
rm -f "$data"/gcomm_uri "$data"/position.json "$data"/gvwstate.dat
# Only on the first start: walking through a large database at each start would take long.
if [ "$(stat -c %U "$data")" != mysql ]; then chown -R mysql:mysql "$data"; fi
chown mysql:mysql /run/mysqld

# Answers the kubelet's probes. With --fork it becomes a child of PID 1 and is no concern of mariadbd's.
setsid --fork setpriv --reuid mysql --regid mysql --clear-groups \
  /opt/lab/pods/bin/python -I "$scripts/health.py" </dev/null

position=$nowhere
empty=true
if [ -e "$data/ibdata1" ]; then
  empty=false
  if log=$(mariadbd --defaults-file="$config" --user=mysql --wsrep-recover \
    --wsrep-cluster-address=gcomm://unused 2>&1); then
    found=$(sed -n 's/.*Recovered position: *//p' <<<"$log" | tail -n 1)
    position=${found:-$nowhere}
  else
    say "the data could not be recovered, a full copy from another member is needed:"
    tail -n 20 <<<"$log"
  fi
fi
safe=false
if [ "$position" != "$nowhere" ] && grep -q '^safe_to_bootstrap: 1' "$data/grastate.dat"; then safe=true; fi
printf '{"uuid": "%s", "seqno": %s, "safe_to_bootstrap": %s, "empty": %s}\n' \
  "${position%%:*}" "${position##*:}" "$safe" "$empty" >"$data/position.new"
mv "$data/position.new" "$data/position.json"
say "position $position, safe to bootstrap: $safe; waiting for gcomm_uri"

until [ -s "$data/gcomm_uri" ]; do sleep 0.2; done
uri=$(<"$data/gcomm_uri")
arguments=(--defaults-file="$config" --user=mysql --wsrep-node-name="$POD_NAME" --wsrep-node-address="$POD_IP")
if [ "$position" != "$nowhere" ]; then arguments+=(--wsrep-start-position="$position"); fi

if [ "$uri" = gcomm:// ]; then
  if [ ! -e "$data/ibdata1" ]; then
    say "empty data: making the system tables"
    "$scripts/make_system_tables.sh"
  elif [ -e "$data/grastate.dat" ]; then
    sed -i 's/^safe_to_bootstrap: .*/safe_to_bootstrap: 1/' "$data/grastate.dat"
  fi
  say "founding the cluster"
  arguments+=(--wsrep-cluster-address=gcomm:// --wsrep-new-cluster)
else
  /opt/lab/pods/bin/python -I "$scripts/wait_until_dropped.py" "$uri" || say "could not ask the others whether they count me"
  say "joining $uri"
  arguments+=(--wsrep-cluster-address="$uri")
fi
unset DB_ROOT_PASSWORD
exec mariadbd "${arguments[@]}"
