#!/bin/sh
# listener.sh MODE on|off PORT anew|keep SECONDS: pgBackRest's own server, by which hosts reach each other.
set -eu
mode=$1 wanted=$2 port=$3 how=$4 seconds=$5
unit=pgbackrest.service
deadline=$(($(date +%s) + seconds))

refuse() { echo "refused: $*"; exit 3; }

is() { systemctl "is-$1" --quiet "$unit"; }

# The unit of Debian counts as active only three seconds after it was started, so its port is what is waited for.
starts() { case $(systemctl show -P ActiveState "$unit") in active | activating | reloading) ;; *) return 1 ;; esac; }

listens() { ss -Hltn "sport = :$port" | grep -q .; }

if [ "$wanted" = off ]; then
    if is enabled || starts; then
        echo "changed: stopped $unit"
        [ "$mode" = check ] || systemctl disable --quiet --now "$unit"
    fi
    exit 0
fi
if ! is enabled; then
    echo "changed: enabled $unit"
    [ "$mode" = check ] || systemctl enable --quiet "$unit"
fi
if ! starts || [ "$how" = anew ]; then
    echo "changed: started $unit"
    [ "$mode" = apply ] || exit 0
    systemctl stop "$unit"
    systemctl start --no-block "$unit"
fi
[ "$mode" = apply ] || exit 0
until listens; do
    [ "$(date +%s)" -lt "$deadline" ] ||
        refuse "$unit does not listen on port $port after $seconds s: $(journalctl -q -b -u "$unit" -n 5 -o cat | grep -E 'ERROR|WARN' | tail -n 1)"
    sleep 0.1
done
