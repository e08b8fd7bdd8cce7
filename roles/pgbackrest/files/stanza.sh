#!/bin/sh
# stanza.sh MODE STANZA: make the stanza be in the repository, and be that of these servers.
set -eu
mode=$1 stanza=$2
cd /

refuse() { echo "refused: $*"; exit 3; }

backrest() { runuser -u postgres -- pgbackrest --stanza="$stanza" --log-level-console=error "$@" 2>&1; }

said=$(runuser -u postgres -- pgbackrest --stanza="$stanza" --output=json --log-level-stderr=off info) || true
code=$(echo "$said" | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["status"]["code"])') ||
    refuse "pgbackrest info: $(backrest info | tail -n 1)"
# 0: well. 2: no backup yet. Others: no stanza, or one that does not fit.
case $code in
0 | 2) exit 0 ;;
esac
echo "changed: made the stanza $stanza"
[ "$mode" = apply ] || exit 0
said=$(backrest stanza-create) || refuse "pgbackrest stanza-create: $(echo "$said" | grep -E 'ERROR' | head -n 1)"
