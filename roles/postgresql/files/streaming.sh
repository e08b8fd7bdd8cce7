#!/bin/sh
# streaming.sh PORT SECONDS NAME...: wait on the primary until every replica streams.
set -eu
port=$1 seconds=$2
shift 2
deadline=$(($(date +%s) + seconds))
cd /
while true; do
    streaming=$(PGCONNECT_TIMEOUT=5 runuser -u postgres -- psql -X -qAt -p "$port" -d postgres \
        -c "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'" 2>&1) || true
    missing=
    for name in "$@"; do
        echo "$streaming" | grep -qxF -- "$name" || missing="$missing $name"
    done
    [ -n "$missing" ] || exit 0
    if [ "$(date +%s)" -ge "$deadline" ]; then
        echo "refused: not streaming after $seconds s:$missing"
        exit 3
    fi
    sleep 0.1
done
