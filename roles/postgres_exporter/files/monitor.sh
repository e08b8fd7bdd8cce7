#!/bin/sh
# monitor.sh MODE: make the login role of the exporter be there, on the server that takes writes; standbys get it from there.
set -eu
mode=$1
cd /

query() {
    PGCONNECT_TIMEOUT=5 PGOPTIONS='-c synchronous_commit=local' \
        runuser -u postgres -- psql -X -qAt -v ON_ERROR_STOP=1 -d postgres -c "$1" 2>&1
}

said=$(query "SELECT 'port=' || current_setting('port') || E'\nsocket=' || split_part(current_setting('unix_socket_directories'), ',', 1)
    || E'\nstate=' || CASE WHEN pg_is_in_recovery() THEN 'standby'
        WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = 'prometheus' AND rolcanlogin
            AND pg_has_role(oid, 'pg_monitor', 'member')) THEN 'there' ELSE 'missing' END") || {
    echo "refused: PostgreSQL does not answer on this node: $(echo "$said" | tail -n 1)"
    exit 3
}
echo "$said"
echo "$said" | grep -qx state=missing || exit 0
echo "changed: role prometheus"
[ "$mode" = apply ] || exit 0
said=$(query "DO \$\$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'prometheus') THEN CREATE ROLE prometheus; END IF;
    ALTER ROLE prometheus LOGIN; GRANT pg_monitor TO prometheus; END \$\$") || {
    echo "refused: the role prometheus could not be made: $(echo "$said" | tail -n 1)"
    exit 3
}
