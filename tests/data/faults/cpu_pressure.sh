# ---- inject
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d cut_0a1b2c3d 1 80
PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
export PATH LC_ALL
machine=$1 state=$2
shift 2
if [ "$(cat /etc/machine-id)" != "$machine" ]; then
  echo "refused: this is not the machine that the guard saw" >&2
  exit 65
fi
cannot() { echo "not offered: $*" >&2; exit 69; }
fail() { echo "$*" >&2; exit 1; }
unit=e2e-fault-$1.service
pids() { grep -lF "$unit" /proc/[0-9]*/cgroup 2>/dev/null | cut -d / -f 3; }
start() {
  command -v stress-ng >/dev/null || cannot "stress-ng is not installed"
  command -v systemd-run >/dev/null || cannot "there is no systemd-run"
  systemctl reset-failed "$unit" 2>/dev/null
  systemd-run --quiet --collect --unit="$unit" --property=OOMPolicy=continue "$@"
}
shift
start --property=CPUQuota="$(($1 * $2))%" stress-ng --quiet --cpu "$1" --cpu-load "$2" --timeout 0

# ---- effect
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d cut_0a1b2c3d 1 80
PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
export PATH LC_ALL
machine=$1 state=$2
shift 2
if [ "$(cat /etc/machine-id)" != "$machine" ]; then
  echo "refused: this is not the machine that the guard saw" >&2
  exit 65
fi
cannot() { echo "not offered: $*" >&2; exit 69; }
fail() { echo "$*" >&2; exit 1; }
unit=e2e-fault-$1.service
pids() { grep -lF "$unit" /proc/[0-9]*/cgroup 2>/dev/null | cut -d / -f 3; }
start() {
  command -v stress-ng >/dev/null || cannot "stress-ng is not installed"
  command -v systemd-run >/dev/null || cannot "there is no systemd-run"
  systemctl reset-failed "$unit" 2>/dev/null
  systemd-run --quiet --collect --unit="$unit" --property=OOMPolicy=continue "$@"
}
workers=$2 load=$3
ticks() {
  for pid in $(pids); do sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null; done |
    awk '{ n += $12 + $13 } END { print n + 0 }'
}
before=$(ticks)
sleep 1
after=$(ticks)
found=$(((after - before) * 100 / $(getconf CLK_TCK)))
[ "$found" -ge $((workers * load / 5)) ] || fail "only $found % of a processor are taken"
echo "$found % of a processor are taken"

# ---- heal
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d cut_0a1b2c3d
PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
export PATH LC_ALL
machine=$1 state=$2
shift 2
if [ "$(cat /etc/machine-id)" != "$machine" ]; then
  echo "refused: this is not the machine that the guard saw" >&2
  exit 65
fi
cannot() { echo "not offered: $*" >&2; exit 69; }
fail() { echo "$*" >&2; exit 1; }
unit=e2e-fault-$1.service
pids() { grep -lF "$unit" /proc/[0-9]*/cgroup 2>/dev/null | cut -d / -f 3; }
start() {
  command -v stress-ng >/dev/null || cannot "stress-ng is not installed"
  command -v systemd-run >/dev/null || cannot "there is no systemd-run"
  systemctl reset-failed "$unit" 2>/dev/null
  systemd-run --quiet --collect --unit="$unit" --property=OOMPolicy=continue "$@"
}
systemctl stop "$unit" 2>/dev/null
systemctl reset-failed "$unit" 2>/dev/null
exit 0

# ---- healed
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d cut_0a1b2c3d
PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
export PATH LC_ALL
machine=$1 state=$2
shift 2
if [ "$(cat /etc/machine-id)" != "$machine" ]; then
  echo "refused: this is not the machine that the guard saw" >&2
  exit 65
fi
cannot() { echo "not offered: $*" >&2; exit 69; }
fail() { echo "$*" >&2; exit 1; }
unit=e2e-fault-$1.service
pids() { grep -lF "$unit" /proc/[0-9]*/cgroup 2>/dev/null | cut -d / -f 3; }
start() {
  command -v stress-ng >/dev/null || cannot "stress-ng is not installed"
  command -v systemd-run >/dev/null || cannot "there is no systemd-run"
  systemctl reset-failed "$unit" 2>/dev/null
  systemd-run --quiet --collect --unit="$unit" --property=OOMPolicy=continue "$@"
}
[ -z "$(pids)" ] || fail "processes of $unit are left"
! systemctl is-active --quiet "$unit" || fail "$unit still runs"
echo "$unit is gone"
