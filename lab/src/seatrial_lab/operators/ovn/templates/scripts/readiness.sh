#!/bin/sh
. /var/lib/operator-scripts/functions
is_member
