#!/bin/bash
# Run by the operator in a member's container: tells the waiting member what to do. It can be told once in its life.
set -euo pipefail
cd /var/lib/mysql
if [ -e gcomm_uri ]; then
  echo "already told: $(<gcomm_uri)" >&2
  exit 1
fi
echo "$1" >gcomm_uri.new
mv gcomm_uri.new gcomm_uri
