#!/bin/sh
# replica.sh MODE VERSION HOST PORT USER PASSFILE NAME PLAN SECONDS sync|no-sync: make this node hold a standby of the primary.
# PLAN is `keep` or `rebuild`: what to do with a node that holds data and cannot follow.
set -eu
mode=$1 version=$2 host=$3 port=$4 user=$5 passfile=$6 name=$7 plan=$8 seconds=$9 disk=${10}
unit=postgresql@$version-main.service
bin=/usr/lib/postgresql/$version/bin
data=/var/lib/postgresql/$version/main
log=/var/log/postgresql/postgresql-$version-main.log
conninfo="host=$host port=$port user=$user application_name=$name passfile=$passfile"
deadline=$(($(date +%s) + seconds))
cd /

refuse() { echo "refused: $*"; exit 3; }

as_postgres() { runuser -u postgres -- env LC_ALL=C PGPASSFILE="$passfile" PGCONNECT_TIMEOUT=5 "$@"; }

local_query() { as_postgres psql --cluster "$version/main" -X -qAt -d postgres -c "$1" 2>/dev/null; }

identify() {
    as_postgres "$bin/psql" -X -qAt -w -F ' ' -c IDENTIFY_SYSTEM "host=$host port=$port user=$user replication=true" 2>&1
}

streams() { [ "$(local_query 'SELECT status FROM pg_stat_wal_receiver')" = streaming ]; }

# Prints nothing when the node follows the primary, else why it does not.
why_not() {
    if [ ! -e "$data/standby.signal" ]; then
        echo "it holds a writable database of its own"
        return
    fi
    own=$(LC_ALL=C "$bin/pg_controldata" "$data" | sed -n 's/^Database system identifier: *//p')
    if [ "$own" != "$identifier" ]; then
        echo "it is a copy of another database ($own, the primary is $identifier)"
        return
    fi
    until streams; do
        if [ "$(date +%s)" -ge "$deadline" ]; then
            echo "it does not stream: $(tail -n 200 "$log" | grep -E 'FATAL|ERROR|PANIC|is a lower setting' | tail -n 1)"
            return
        fi
        unpause >&2
        sleep 0.2
    done
}

point_to_primary() {
    grep -qxF "primary_conninfo = '$conninfo'" "$data/postgresql.auto.conf" && return 0
    echo "changed: follows $host"
    [ "$mode" = apply ] || return 0
    sed '/^primary_conninfo/d' "$data/postgresql.auto.conf" >"$data/postgresql.auto.conf.new"
    echo "primary_conninfo = '$conninfo'" >>"$data/postgresql.auto.conf.new"
    chown postgres:postgres "$data/postgresql.auto.conf.new"
    chmod 600 "$data/postgresql.auto.conf.new"
    mv "$data/postgresql.auto.conf.new" "$data/postgresql.auto.conf"
    local_query 'SELECT pg_reload_conf()' >/dev/null || true
}

# Recovery that met a primary with, say, more connections pauses, and nothing is received, until a restart.
unpause() {
    if [ "$mode" = apply ] && [ "$(local_query 'SELECT pg_is_wal_replay_paused()')" = t ]; then
        echo "changed: restarted, because its recovery was paused"
        systemctl restart --no-block "$unit"
        sleep 1
    fi
}

start() {
    case $(systemctl is-active "$unit") in active | activating | reloading) return 0 ;; esac
    echo "changed: started"
    systemctl reset-failed "$unit" 2>/dev/null || true
    systemctl start --no-block "$unit"
}

copy_primary() {
    rm -rf "$data.new"
    sync=
    [ "$disk" = sync ] || sync=--no-sync
    # shellcheck disable=SC2086  # an empty $sync is no argument
    output=$(as_postgres timeout 3600 "$bin/pg_basebackup" -w -D "$data.new" -X stream -c fast -R $sync \
        -d "host=$host port=$port user=$user" 2>&1) || refuse "the copy of $host failed: $(echo "$output" | tail -n 2)"
    # Renamed when complete: a copy that was interrupted is never taken for a standby.
    rm -rf "$data"
    mv "$data.new" "$data"
}

if [ "$mode" = check ] && [ ! -e "$data/PG_VERSION" ]; then
    echo "changed: copied $host"
    exit 0
fi
until answer=$(identify); do
    [ "$(date +%s)" -lt "$deadline" ] || refuse "the primary $host:$port does not answer: $(echo "$answer" | tail -n 1)"
    sleep 0.2
done
identifier=${answer%% *}

if [ -e "$data/PG_VERSION" ]; then
    if [ -e "$data/standby.signal" ]; then
        point_to_primary
        [ "$mode" = check ] || start
    fi
    if [ "$mode" = check ]; then
        deadline=0
    fi
    reason=$(why_not)
    [ -n "$reason" ] || exit 0
    [ "$plan" = rebuild ] ||
        refuse "$name cannot follow the primary $host: $reason. With postgresql_rebuild_replicas=true its data is thrown away and copied anew"
    echo "changed: thrown away, because $reason"
    [ "$mode" = apply ] || exit 0
    systemctl stop "$unit"
fi
echo "changed: copied $host"
copy_primary
point_to_primary >/dev/null
