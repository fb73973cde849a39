#!/bin/bash
# Fills an empty data directory: system tables, root with the password in DB_ROOT_PASSWORD, and the account of the probes.
# Other members get all of this by their first copy from this one.
set -euo pipefail
umask 077

readonly data=/var/lib/mysql
sql=$(mktemp)
trap 'rm -f "$sql"' EXIT
# The password goes through a file that only root reads, never through an argument list.
password=${DB_ROOT_PASSWORD//\\/\\\\}
password=${password//\'/\'\'}
cat >"$sql" <<SQL
SET sql_log_bin = 0;
DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host NOT IN ('localhost'));
FLUSH PRIVILEGES;
ALTER USER 'root'@'localhost' IDENTIFIED BY '${password}';
CREATE USER 'root'@'%' IDENTIFIED BY '${password}';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;
CREATE USER 'mysql'@'localhost' IDENTIFIED VIA unix_socket;
SQL
mariadb-install-db --no-defaults --innodb-log-file-size=32M --innodb-flush-method=nosync --datadir="$data" --user=mysql --skip-test-db \
  --auth-root-authentication-method=normal --skip-name-resolve --force --extra-file="$sql" >/tmp/install-db.log || {
  cat /tmp/install-db.log
  exit 1
}
