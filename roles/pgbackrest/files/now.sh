#!/bin/sh
# now.sh MODE STANZA TYPE SECONDS ADDRESSES: make a backup now. With ADDRESSES, with commas between them, one of them must
# be the server that takes writes, by the word of its Patroni. Another backup that is under way is awaited.
set -eu
mode=$1 stanza=$2 type=$3 seconds=$4 addresses=$5
deadline=$(($(date +%s) + seconds))
cd /

refuse() { echo "refused: $*"; exit 3; }

if [ -n "$addresses" ]; then
    python3 - "$addresses" <<'EOF' || refuse "none of $addresses takes writes by the word of Patroni, so there is nothing to back up"
import sys
import urllib.request

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def leads(address):
    host = f"[{address}]" if ":" in address else address
    try:
        return opener.open(f"http://{host}:8008/primary", timeout=5).status == 200
    except OSError:
        return False


sys.exit(0 if any(map(leads, sys.argv[1].split(","))) else 1)
EOF
fi
echo "changed: a backup of type $type"
[ "$mode" = apply ] || exit 0
until said=$(timeout "$seconds" runuser -u postgres -- pgbackrest --stanza="$stanza" --type="$type" --log-level-console=warn backup 2>&1); do
    case $said in
    *'[050]'*) ;; # a lock: the timer was faster
    *) refuse "pgbackrest backup: $(echo "$said" | grep ERROR | head -n 1 | sed 's/^[^E]*//')" ;;
    esac
    [ "$(date +%s)" -lt "$deadline" ] || refuse "another backup is under way for more than $seconds s"
    sleep 0.5
done
