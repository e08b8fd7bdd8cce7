#!/bin/sh
# archive.sh MODE STANZA TIMEOUT SECONDS: make the server archive its WAL. Looks at the server, so that an interrupted run
# is made good by the next one.
set -eu
mode=$1 stanza=$2 timeout=$3 seconds=$4
deadline=$(($(date +%s) + seconds))
command="pgbackrest --stanza=$stanza archive-push \"%p\""
cd /

refuse() { echo "refused: $*"; exit 3; }

query() { PGCONNECT_TIMEOUT=5 runuser -u postgres -- psql -X -qAt -v ON_ERROR_STOP=1 -d postgres -c "$1"; }

archives() {
    [ "$(query "SELECT current_setting('archive_mode') <> 'off' AND current_setting('archive_command') = '$command'" 2>/dev/null)" = t ]
}

if systemctl is-active --quiet patroni.service 2>/dev/null; then
    archives || refuse "Patroni manages the settings of this server: give it archive_mode 'on' and archive_command '$command'"
    exit 0
fi
file=$(dirname "$(query 'SHOW config_file')")/conf.d/e2e_pgbackrest.conf
[ -d "$(dirname "$file")" ] || refuse "this server reads no folder conf.d; was it made by the role postgresql?"
wanted="# Written by the role pgbackrest; a change made here is undone by its next run.
archive_mode = on
archive_command = '$command'
archive_timeout = ${timeout}s"
if [ "$(cat "$file" 2>/dev/null)" != "$wanted" ]; then
    echo "changed: archive settings"
    [ "$mode" = apply ] || exit 0
    echo "$wanted" >"$file.new"
    chown postgres:postgres "$file.new"
    mv "$file.new" "$file"
fi
if ! archives || [ "$(query "SELECT (pg_stat_file('$file')).modification <= pg_conf_load_time()")" != t ]; then
    echo "changed: took over the archive settings"
    [ "$mode" = apply ] || exit 0
    query 'SELECT pg_reload_conf()' >/dev/null
    if [ "$(query "SELECT current_setting('archive_mode')")" = off ]; then
        unit=postgresql@$(query 'SHOW data_directory' | sed -n 's|.*/\([0-9]*\)/main$|\1|p')-main.service
        systemctl restart --no-block "$unit"
    fi
    until archives; do
        [ "$(date +%s)" -lt "$deadline" ] || refuse "the server does not archive after $seconds s: it has $(query "SELECT
            'archive_mode ' || current_setting('archive_mode') || ', archive_command ' || current_setting('archive_command')" 2>&1 | tail -n 1)"
        sleep 0.2
    done
fi
