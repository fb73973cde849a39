#!/bin/sh
# Starts a member of the raft; one that has no data founds the cluster, or joins it.
set -eu
. /var/lib/operator-scripts/functions

# What remains to be done by a member.
settle() {
  waited=0
  until is_member && has_leader; do
    sleep 0.5
    waited=$((waited + 1))
    # The others have a leader that doesn't call: they removed this member while it was away. So it comes anew.
    if [ "$waited" -ge "$PATIENCE" ] && any_other_is '"connected":true'; then
      rm -f "$file"
      order exit
      return
    fi
  done
  # One that lost its volume has joined anew, under its old address: its former self will never answer again.
  while former=$(status | grep -F " at $(address "$number"))" | grep -vF '(self)' | cut -d'(' -f1); [ -n "$former" ]; do
    for server in $former; do order cluster/kick "$DB_NAME" "$server" >/dev/null || true; done
    sleep 1
  done
  [ "$number" = 0 ] || return 0
  # Where clients are listened to is in the database; this is said again only if it is not so.
  ctl="ovn-${DB_TYPE}ctl --no-leader-only --timeout=30 --db=unix:$socket"
  remote="ptcp:$PORT:0.0.0.0"
  until now=$($ctl --bare --columns=target,inactivity_probe list connection); do sleep 1; done
  [ "$(echo $now)" = "$remote $INACTIVITY_PROBE" ] ||
    until $ctl --inactivity-probe="$INACTIVITY_PROBE" set-connection "$remote"; do sleep 1; done
}

if [ ! -s "$file" ]; then
  if [ "$number" = 0 ] && [ "$(cat $scripts/founded)" = no ] && ! any_other_is; then
    ovsdb-tool --election-timer="$ELECTION_TIMER" create-cluster "$file" "/usr/share/ovn/ovn-$DB_TYPE.ovsschema" \
      "$(address 0)"
  else
    ovsdb-tool join-cluster "$file" "$DB_NAME" "$(address "$number")" $(for other in $(others); do address "$other"; done)
  fi
fi
(settle &)
exec ovsdb-server -vconsole:"$LOG_LEVEL" --unixctl="$control" --remote="punix:$socket" \
  --remote="db:$DB_NAME,$(echo "$DB_TYPE" | tr a-z A-Z)_Global,connections" "$file"
