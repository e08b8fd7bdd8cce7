#!/bin/sh
# server.sh: say where the running server of this node keeps what, and whether it is a standby.
set -eu
cd /
said=$(PGCONNECT_TIMEOUT=5 runuser -u postgres -- psql -X -qAt -v ON_ERROR_STOP=1 -d postgres -c "SELECT
    'data=' || current_setting('data_directory') || E'\nport=' || current_setting('port')
    || E'\nsocket=' || split_part(current_setting('unix_socket_directories'), ',', 1)
    || E'\nstandby=' || CASE WHEN pg_is_in_recovery() THEN 't' ELSE 'f' END" 2>&1) || {
    echo "refused: PostgreSQL does not answer on this node: $(echo "$said" | tail -n 1)"
    exit 3
}
echo "$said"
