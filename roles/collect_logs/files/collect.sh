#!/bin/sh
# collect.sh SECONDS LINES BYTES PATTERN...: pack logs and state of this node; the last line names the archive.
# Every part has a time limit of its own and may fail; what failed is visible in its file.
set -u
seconds=$1 lines=$2 bytes=$3
shift 3
export LC_ALL=C SYSTEMD_COLORS=0 SYSTEMD_PAGER=
deadline=$(($(date +%s) + seconds))
umask 077
# Archives of runs that were cut off before the fetch.
find /var/tmp -maxdepth 1 -name 'e2e-logs.*' -mmin +60 -exec rm -rf {} + 2>/dev/null
work=$(mktemp -d /var/tmp/e2e-logs.XXXXXXXX) || exit 1
mkdir "$work/logs"
cd "$work/logs" || exit 1

part() {
    file=$1
    shift
    left=$((deadline - $(date +%s)))
    [ "$left" -gt 0 ] || left=1
    [ "$left" -le 15 ] || left=15
    timeout -k 2 "$left" "$@" >"$file" 2>&1 </dev/null || echo "[ended with $?: $*]" >>"$file"
}

part journal.txt journalctl -b --no-pager -n "$lines"
part units_failed.txt systemctl --no-pager --failed --all --full
part units.txt systemctl --no-pager --full list-units
part dmesg.txt dmesg
part ps.txt ps -eo pid,ppid,user,stat,lstart,time,rss,args --cols 300
part df.txt df -hT
part ip_addr.txt ip addr
part ip_route.txt ip route

for control in /var/lib/postgresql/*/*/global/pg_control; do
    [ -e "$control" ] || continue
    data=${control%/global/pg_control}
    version=$(basename "$(dirname "$data")")
    part "pg_controldata-$version-$(basename "$data").txt" "/usr/lib/postgresql/$version/bin/pg_controldata" "$data"
done

for pattern in "$@"; do
    # shellcheck disable=SC2086  # the pattern is meant to be expanded
    for file in $pattern; do
        [ -f "$file" ] || continue
        case $(basename "$file" | tr '[:upper:]' '[:lower:]') in
        *pgpass* | *.key | *.pem | *.p12 | *passw* | *secret* | id_rsa* | id_ed25519* | id_ecdsa*) continue ;;
        esac
        mkdir -p "files$(dirname "$file")"
        part "files$file" tail -c "$bytes" -- "$file"
    done
done

tar -czf "$work/logs.tar.gz" -C "$work/logs" . && rm -rf "$work/logs"
echo "$work/logs.tar.gz"
