#!/bin/sh
# proxy.sh MODE anew|keep PORT SECONDS: make HAProxy run with its configuration, and lead writes to one server.
set -eu
mode=$1 how=$2 port=$3 seconds=$4
unit=haproxy.service
configuration=/etc/haproxy/haproxy.cfg

refuse() { echo "refused: $*"; exit 3; }

running() { systemctl is-active --quiet "$unit"; }

# Looks at the process, not at what this run wrote, so that an interrupted run is made good by the next one.
stale() {
    loaded=$(stat -c %Y "/proc/$(systemctl show -P MainPID "$unit")" 2>/dev/null) || return 0
    [ "$how" = anew ] || [ "$(stat -c %Y "$configuration")" -gt "$loaded" ]
}

if ! systemctl is-enabled --quiet "$unit"; then
    echo "changed: enabled $unit"
    [ "$mode" = check ] || systemctl enable --quiet "$unit"
fi
if ! running || stale; then
    echo "changed: started $unit"
    [ "$mode" = apply ] || exit 0
    systemctl reset-failed "$unit" 2>/dev/null || true
    systemctl restart "$unit" || refuse "$unit does not start: $(journalctl -q -b -u "$unit" -n 20 -o cat | grep -E 'ALERT' | tail -n 1)"
fi
[ "$mode" = apply ] || exit 0

said=$(python3 - "$seconds" 2>&1 <<'P'
import csv, socket, sys, time

deadline = time.monotonic() + float(sys.argv[1])


def servers():
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(5)
        asked.connect("/run/haproxy/admin.sock")
        asked.sendall(b"show stat\n")
        lines = asked.makefile(encoding="utf-8").read().lstrip("# ").splitlines()
    return [row for row in csv.DictReader(lines) if row["pxname"] == "writes" and row["svname"] not in ("FRONTEND", "BACKEND")]


while True:
    try:
        found = servers()
    except OSError as error:
        found, problem = [], f"haproxy does not answer: {error}"
    else:
        problem = "; ".join(f"{row['svname']} {row['status']}, {row['check_status']} {row['last_chk']}" for row in found)
    # A server that was not looked at yet counts as up.
    up = [row for row in found if row["status"] == "UP" and row["check_status"].startswith("L7OK")]
    if up or time.monotonic() > deadline:
        break
    time.sleep(0.1)
sys.exit(0 if up else problem)
P
) || refuse "no server takes writes after $seconds s; on port $port Patroni says: $said"
