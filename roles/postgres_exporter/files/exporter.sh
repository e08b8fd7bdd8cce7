#!/bin/sh
# exporter.sh MODE anew|keep ADDRESS PORT SECONDS: make the exporter run with its settings and see PostgreSQL.
set -eu
mode=$1 how=$2 address=$3 port=$4 seconds=$5
unit=prometheus-postgres-exporter.service
settings=/etc/default/prometheus-postgres-exporter

refuse() { echo "refused: $*"; exit 3; }

# Looks at the process, not at what this run wrote, so that an interrupted run is made good by the next one.
stale() {
    loaded=$(stat -c %Y "/proc/$(systemctl show -P MainPID "$unit")" 2>/dev/null) || return 0
    [ "$how" = anew ] || [ "$(stat -c %Y "$settings")" -gt "$loaded" ]
}

if ! systemctl is-enabled --quiet "$unit"; then
    echo "changed: enabled $unit"
    [ "$mode" = check ] || systemctl enable --quiet "$unit"
fi
if ! systemctl is-active --quiet "$unit" || stale; then
    echo "changed: started $unit"
    [ "$mode" = apply ] || exit 0
    systemctl reset-failed "$unit" 2>/dev/null || true
    systemctl restart "$unit" || refuse "$unit does not start"
fi
[ "$mode" = apply ] || exit 0

said=$(python3 - "$address" "$port" "$seconds" 2>&1 <<'P'
import http.client, sys, time

address, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
deadline = time.monotonic() + seconds
while True:
    try:
        connection = http.client.HTTPConnection(address.strip("[]"), port, timeout=5)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode(errors="replace")
        problem = "" if "\npg_up 1\n" in text else "it does not reach PostgreSQL"
    except (OSError, http.client.HTTPException) as error:
        problem = str(error)
    if not problem or time.monotonic() > deadline:
        break
    time.sleep(0.2)
sys.exit(problem or 0)
P
) || refuse "no metrics of PostgreSQL on $address:$port after $seconds s: $said"
