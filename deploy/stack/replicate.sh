#!/usr/bin/env bash
# Makes two MySQL masters replicas of each other: replicate.sh <host[:port]> <host[:port]>. The second one is empty when
# this runs for the first time and gets everything from the first. Repeating it is harmless; a server whose transactions
# the other one does not have is refused, because its older rows would overwrite newer ones.
set -euo pipefail
first=$1 second=$2

sql() { # <server> <statements>
  MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql --protocol=tcp -h "${1%%:*}" -P "$(port "$1")" -u root --batch --skip-column-names -e "$2"
}

port() { if [[ $1 == *:* ]]; then echo "${1##*:}"; else echo 3306; fi; }

# Users and plugins are made on each server by itself, so that they do not depend on what is replicated.
prepare() { # <server>
  sql "$1" "
    SET sql_log_bin = 0;
    CREATE USER IF NOT EXISTS 'replication'@'%' IDENTIFIED BY '$MYSQL_ROOT_PASSWORD' REQUIRE SSL;
    GRANT REPLICATION SLAVE ON *.* TO 'replication'@'%';"
  for side in source replica; do
    if [[ -z $(sql "$1" "SELECT 1 FROM information_schema.plugins WHERE plugin_name = 'rpl_semi_sync_$side'") ]]; then
      sql "$1" "SET sql_log_bin = 0; INSTALL PLUGIN rpl_semi_sync_$side SONAME 'semisync_$side.so'"
    fi
  done
  sql "$1" "
    SET PERSIST rpl_semi_sync_source_enabled = ON;
    SET PERSIST rpl_semi_sync_replica_enabled = ON;
    SET PERSIST rpl_semi_sync_source_timeout = 1000;"
}

is_replica() { [[ -n $(sql "$1" "SELECT 1 FROM performance_schema.replication_connection_configuration") ]]; }

follow() { # <replica> <source>
  sql "$1" "
    STOP REPLICA;
    CHANGE REPLICATION SOURCE TO SOURCE_HOST = '${2%%:*}', SOURCE_PORT = $(port "$2"), SOURCE_USER = 'replication',
      SOURCE_PASSWORD = '$MYSQL_ROOT_PASSWORD', SOURCE_AUTO_POSITION = 1, SOURCE_SSL = 1,
      SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 86400;
    START REPLICA;"
}

executed() { sql "$1" "SELECT REPLACE(@@GLOBAL.gtid_executed, '\n', '')"; }

if ! is_replica "$second"; then
  # What its own initialisation wrote exists on the first one too.
  sql "$second" "RESET BINARY LOGS AND GTIDS"
elif [[ $(sql "$first" "SELECT GTID_SUBSET('$(executed "$second")', @@GLOBAL.gtid_executed) OR GTID_SUBSET(@@GLOBAL.gtid_executed, '$(executed "$second")')") != 1 ]]; then
  echo "$first and $second have drifted apart: rebuild one from the other" >&2
  exit 1
fi
prepare "$first"
prepare "$second"
follow "$second" "$first"
follow "$first" "$second"
echo "$first and $second replicate each other"
