#!/bin/sh
# server.sh MODE VERSION SECONDS KIND: make the server run with the settings that its files have now.
# Looks at the server, not at what this run wrote, so that an interrupted run is made good by the next.
set -eu
mode=$1 version=$2 seconds=$3 kind=$4
unit=postgresql@$version-main.service
configuration=/etc/postgresql/$version/main
data=/var/lib/postgresql/$version/main
deadline=$(($(date +%s) + seconds))
cd /

refuse() { echo "refused: $*"; exit 3; }

query() {
    PGCONNECT_TIMEOUT=5 runuser -u postgres -- psql --cluster "$version/main" -X -qAt -v ON_ERROR_STOP=1 -d postgres -c "$1"
}

complaint() {
    tail -n 200 "/var/log/postgresql/postgresql-$version-main.log" 2>/dev/null | grep -E 'FATAL|PANIC|ERROR' | tail -n 1
}

# The unit counts as active about two seconds after the server does, because of pauses in pg_ctlcluster.
runs() { case $(systemctl is-active "$unit") in active | activating | reloading) ;; *) return 1 ;; esac; }

wait_for() {
    until [ "$(query "$1" 2>/dev/null)" = t ]; do
        ! systemctl is-failed --quiet "$unit" || refuse "PostgreSQL does not start: $(complaint)"
        [ "$(date +%s)" -lt "$deadline" ] || refuse "$2 after $seconds s: $(complaint)"
        sleep 0.1
    done
}

if [ ! -e "$configuration/postgresql.conf" ]; then
    # Only in check mode: an earlier task has already reported what is missing.
    [ "$mode" = check ] || refuse "there is no cluster $version/main"
    exit 0
fi
if ! runs; then
    echo "changed: started"
    [ "$mode" = apply ] || exit 0
    systemctl reset-failed "$unit" 2>/dev/null || true
    systemctl start --no-block "$unit"
fi
wait_for "SELECT true" "PostgreSQL does not accept connections"

if [ "$kind" = primary ] && [ "$(query 'SELECT pg_is_in_recovery()')" = t ]; then
    refuse "this node is a standby; name the present primary in postgresql_primary"
fi

stale="SELECT max((pg_stat_file(f)).modification) > pg_conf_load_time() FROM unnest(ARRAY[
    '$configuration/conf.d/e2e.conf', '$configuration/pg_hba.conf', '$data/postgresql.auto.conf']) f"
if [ "$(query "$stale")" = t ]; then
    echo "changed: reloaded"
    if [ "$mode" = apply ]; then
        # A new server process may still see the old configuration for a moment.
        query 'SELECT pg_reload_conf()' >/dev/null
        wait_for "SELECT NOT (q.stale) FROM ($stale) AS q (stale)" "the configuration is not loaded"
    fi
fi
pending=$(query "SELECT string_agg(name, ' ') FROM pg_settings WHERE pending_restart")
if [ -n "$pending" ]; then
    echo "changed: restarted for $pending"
    if [ "$mode" = apply ]; then
        systemctl restart --no-block "$unit"
        wait_for "SELECT NOT EXISTS (SELECT FROM pg_settings WHERE pending_restart)" "PostgreSQL does not come back"
    fi
fi
wrong=$(query "SELECT string_agg(coalesce(name, sourcefile || ':' || sourceline) || ': ' || error, '; ') FROM pg_file_settings
    WHERE error IS NOT NULL AND coalesce(name, '') NOT IN (SELECT name FROM pg_settings WHERE pending_restart)")
[ -z "$wrong" ] || refuse "PostgreSQL does not take its configuration: $wrong"
wrong=$(query "SELECT string_agg('line ' || line_number || ': ' || error, '; ') FROM pg_hba_file_rules WHERE error IS NOT NULL")
[ -z "$wrong" ] || refuse "PostgreSQL does not take its pg_hba.conf: $wrong"
echo "state=accepting"
