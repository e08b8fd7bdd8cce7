#!/bin/sh
# restore.sh MODE STANZA TYPE TARGET SET start|leave SECONDS: bring the data of a stopped server back from the repository.
set -eu
mode=$1 stanza=$2 type=$3 target=$4 set=$5 then=$6 seconds=$7
deadline=$(($(date +%s) + seconds))
cd /

refuse() { echo "refused: $*"; exit 3; }

query() { PGCONNECT_TIMEOUT=5 runuser -u postgres -- psql --cluster "$version/main" -X -qAt -d postgres -c "$1" 2>/dev/null; }

complaint() { tail -n 100 "/var/log/postgresql/postgresql-$version-main.log" 2>/dev/null | grep -E 'FATAL|PANIC' | tail -n 1; }

data=$(sed -n 's/^pg1-path=//p' /etc/pgbackrest.conf 2>/dev/null) || true
[ -n "$data" ] || refuse "no backups were set up on this node; run the role with pgbackrest_state present first"
version=$(echo "$data" | sed -n 's|.*/\([0-9]*\)/main$|\1|p')
[ -n "$version" ] || refuse "$data is not the folder of a cluster main of Debian"
unit=postgresql@$version-main.service
! systemctl is-active --quiet patroni.service 2>/dev/null || refuse "Patroni runs on this node; stop it first"
for pid in $(head -n 1 "$data/postmaster.pid" 2>/dev/null); do
    [ ! -e "/proc/$pid" ] || ! grep -qz postgres "/proc/$pid/cmdline" || refuse "PostgreSQL runs on this node; stop $unit first"
done

echo "changed: restored $data"
[ "$mode" = apply ] || exit 0
install -d -m 700 -o postgres -g postgres "$data"
set -- --stanza="$stanza" --log-level-console=error --delta ${set:+"--set=$set"}
case $type in
time) set -- "$@" --type=time "--target=$target" --target-action=promote ;;
immediate) set -- "$@" --type=immediate --target-action=promote ;;
esac
said=$(runuser -u postgres -- pgbackrest "$@" restore 2>&1) || refuse "pgbackrest restore: $(echo "$said" | grep ERROR | head -n 1)"
[ "$then" = start ] || exit 0
systemctl reset-failed "$unit" 2>/dev/null || true
systemctl start --no-block "$unit"
until [ "$(query 'SELECT NOT pg_is_in_recovery()')" = t ]; do
    ! systemctl is-failed --quiet "$unit" || refuse "PostgreSQL does not start from what was restored: $(complaint)"
    [ "$(date +%s)" -lt "$deadline" ] || refuse "what was restored takes no writes after $seconds s: $(complaint)"
    sleep 0.2
done
