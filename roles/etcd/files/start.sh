#!/bin/sh
# start.sh MODE DATA PEERS PORT SECONDS PLAN SETTINGS UNIT: make the member run with its settings, and wait for the cluster.
# PLAN is `keep` or `new`: with `new` its data is thrown away first. SETTINGS and UNIT are texts of files, in base64.
set -eu
mode=$1 data=$2 peers=$3 port=$4 seconds=$5 plan=$6 settings=$7 unit=$8
formed=$data.formed
configuration=/etc/etcd/etcd.yml
deadline=$(($(date +%s) + seconds))
export ETCDCTL_API=3 LC_ALL=C.UTF-8

refuse() { echo "refused: $*"; exit 3; }

write() {
    [ "$(base64 -w 0 "$1" 2>/dev/null)" != "$2" ] || return 0
    echo "changed: wrote $1"
    [ "$mode" = apply ] || return 0
    mkdir -p "${1%/*}"
    echo "$2" | base64 -d >"$1.new"
    mv "$1.new" "$1"
}

complaint() { journalctl -u etcd.service -n 200 -o cat --no-pager 2>/dev/null | grep -E '"level":"(error|fatal|panic)"' | tail -n 1; }

# Looks at the process, not at what this run wrote, so that an interrupted run is made good by the next.
is_stale() {
    pid=$(systemctl show -P MainPID etcd.service)
    [ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = "/usr/bin/etcd --config-file $configuration " ] || return 0
    began=$(mktemp)
    touch -d "$(systemctl show --timestamp=us+utc -P ActiveEnterTimestamp etcd.service)" "$began"
    newer=$(find "$configuration" -newer "$began")
    rm "$began"
    [ -n "$newer" ]
}

write "$configuration" "$settings"
write /etc/systemd/system/etcd.service.d/e2e.conf "$unit"
if [ "$plan" = new ]; then
    echo "changed: begins a new cluster"
    [ "$mode" = apply ] || exit 0
    systemctl stop etcd.service
    rm -rf "$data" "$formed"
fi
if ! systemctl is-enabled --quiet etcd.service 2>/dev/null; then
    echo "changed: enabled"
    [ "$mode" = check ] || systemctl enable --quiet etcd.service
fi
if ! systemctl is-active --quiet etcd.service; then
    echo "changed: started"
    [ "$mode" = apply ] || exit 0
    systemctl daemon-reload
    systemctl reset-failed etcd.service 2>/dev/null || true
    systemctl start etcd.service || refuse "etcd does not start: $(complaint)"
elif is_stale; then
    echo "changed: restarted with other settings"
    [ "$mode" = apply ] || exit 0
    systemctl daemon-reload
    systemctl restart etcd.service || refuse "etcd does not start: $(complaint)"
fi
until answer=$(etcdctl --endpoints "http://127.0.0.1:$port" --command-timeout=2s endpoint health 2>&1); do
    [ "$(date +%s)" -lt "$deadline" ] ||
        refuse "the cluster of etcd is not healthy after $seconds s: $(echo "$answer" | grep -v '^Error:' | tail -n 1) $(complaint)"
    sleep 0.2
done
if [ "$mode" = apply ] && [ ! -e "$formed" ]; then
    echo "$peers" >"$formed.new"
    mv "$formed.new" "$formed"
fi
