#!/bin/sh
# backup.sh MODE STANZA SECONDS: see that WAL arrives in the repository, and take a full backup if there is none.
set -eu
mode=$1 stanza=$2 seconds=$3
cd /

refuse() { echo "refused: $*"; exit 3; }

backrest() { runuser -u postgres -- pgbackrest --stanza="$stanza" --archive-timeout="$seconds" --log-level-console=warn "$@" 2>&1; }

backups() {
    runuser -u postgres -- pgbackrest --stanza="$stanza" --output=json --log-level-stderr=off info |
        python3 -c 'import json, sys; print(sum(not backup.get("error") for backup in json.load(sys.stdin)[0]["backup"]))'
}

complaint() { echo "$1" | grep -E 'ERROR' | head -n 1 | sed 's/^[^E]*//'; }

there=$(backups)
if [ "$mode" = check ]; then
    [ "$there" -gt 0 ] || echo "changed: a first full backup"
    exit 0
fi
if [ "$there" -gt 0 ]; then
    said=$(backrest check) || refuse "pgbackrest check: $(complaint "$said")"
    exit 0
fi
# A backup waits for its own WAL to arrive, so nothing else need be asked.
echo "changed: a first full backup"
said=$(backrest --type=full backup) || refuse "pgbackrest backup: $(complaint "$said")"
