#!/bin/sh
# A member that goes in an orderly way leaves the cluster, and comes back empty: the others need no majority that counts
# it. Pod 0 keeps its data, so that something is left when all go.
. /var/lib/operator-scripts/functions
[ "$number" != 0 ] && is_member || exit 0
order cluster/leave "$DB_NAME"
# Who has left serves the database no more. That answer may get lost: then others have a leader, and this one has none.
# Without a majority nobody can leave; who goes all the same keeps its data.
for _ in $(seq 30); do
  served=$(order ovsdb-server/list-dbs) || exit 0
  echo "$served" | grep -qx "$DB_NAME" || exec rm -f "$file"
  has_leader || ! any_other_is '"connected":true' || exec rm -f "$file"
  sleep 0.5
done
