# ---- inject
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d 512 /var/lib/postgresql
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
start_of() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }
state_in() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 1; }
main_of() { systemctl show --property=MainPID --value "$1"; }
postmaster() {
  for pid in $(pgrep -x 'postgres|postmaster' -u postgres); do
    parent=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d ' ' -f 2)
    [ "$(cat "/proc/${parent:-none}/comm" 2>/dev/null)" = postgres ] || { echo "$pid"; return; }
  done
}
unit_of() {
  case $1 in
    postgres)
      if systemctl is-active --quiet patroni.service; then
        echo patroni.service
      else
        systemctl list-units --plain --no-legend --all --type=service 'postgresql@*' 'postgresql-[0-9]*' |
          awk '{ print $1; exit }'
      fi
      ;;
    *.service) echo "$1" ;;
    *) echo "$1.service" ;;
  esac
}
victim() {
  if [ "$1" = postgres ]; then postmaster; else main_of "$(unit_of "$1")"; fi
}
# KiB a second, of writes that pass the cache, in the control group of the service.
speed() {
  blocks=$1
  begin=$(date +%s%N)
  sh -c 'echo $$ >"$1/cgroup.procs" && exec dd if=/dev/zero of="$2" bs=64k count="$3" oflag=direct' \
    speed "$group" "$folder/.e2e-fault-probe" "$blocks" 2>"$state/said"
  code=$?
  end=$(date +%s%N)
  rm -f "$folder/.e2e-fault-probe"
  [ "$code" = 0 ] || return 1
  echo $((blocks * 64 * 1000000 / ((end - begin) / 1000 + 1)))
}
kib=$1 folder=$2
unit=$(unit_of postgres)
[ -n "$unit" ] || fail "PostgreSQL has no service here"
main=$(main_of "$unit")
[ "${main:-0}" -gt 1 ] || fail "$unit does not run"
group=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$main/cgroup")
[ -w "$group/cgroup.procs" ] || cannot "there is no unified control group of $unit"
grep -qw io /sys/fs/cgroup/cgroup.controllers || cannot "the kernel does not limit IO by control group"
blocks=$((kib * 2 / 64 + 2))
before=$(speed "$blocks") || cannot "no direct write can be made: $(cat "$state/said")"
[ "$before" -gt $((kib * 2)) ] || cannot "the disk writes only $before KiB a second as it is"
echo "$unit" >"$state/unit"
echo "$group" >"$state/group"
sync "$state/unit" "$state/group"
systemctl set-property --runtime "$unit" "IOWriteBandwidthMax=$folder ${kib}K" "IOReadBandwidthMax=$folder ${kib}K"

# ---- effect
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d 512 /var/lib/postgresql
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
# KiB a second, of writes that pass the cache, in the control group of the service.
speed() {
  blocks=$1
  begin=$(date +%s%N)
  sh -c 'echo $$ >"$1/cgroup.procs" && exec dd if=/dev/zero of="$2" bs=64k count="$3" oflag=direct' \
    speed "$group" "$folder/.e2e-fault-probe" "$blocks" 2>"$state/said"
  code=$?
  end=$(date +%s%N)
  rm -f "$folder/.e2e-fault-probe"
  [ "$code" = 0 ] || return 1
  echo $((blocks * 64 * 1000000 / ((end - begin) / 1000 + 1)))
}
kib=$1 folder=$2
group=$(cat "$state/group") || fail "nothing was limited"
now=$(speed "$((kib * 2 / 64 + 2))") || fail "$(cat "$state/said")"
[ "$now" -le $((kib * 3 / 2)) ] || fail "$now KiB a second are written, and $kib were allowed"
echo "$now KiB a second are written, $kib are allowed"

# ---- heal
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d
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
[ -s "$state/unit" ] || exit 0
systemctl set-property --runtime "$(cat "$state/unit")" IOWriteBandwidthMax= IOReadBandwidthMax=

# ---- healed
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d 512 /var/lib/postgresql
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
start_of() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }
state_in() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 1; }
main_of() { systemctl show --property=MainPID --value "$1"; }
postmaster() {
  for pid in $(pgrep -x 'postgres|postmaster' -u postgres); do
    parent=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d ' ' -f 2)
    [ "$(cat "/proc/${parent:-none}/comm" 2>/dev/null)" = postgres ] || { echo "$pid"; return; }
  done
}
unit_of() {
  case $1 in
    postgres)
      if systemctl is-active --quiet patroni.service; then
        echo patroni.service
      else
        systemctl list-units --plain --no-legend --all --type=service 'postgresql@*' 'postgresql-[0-9]*' |
          awk '{ print $1; exit }'
      fi
      ;;
    *.service) echo "$1" ;;
    *) echo "$1.service" ;;
  esac
}
victim() {
  if [ "$1" = postgres ]; then postmaster; else main_of "$(unit_of "$1")"; fi
}
# KiB a second, of writes that pass the cache, in the control group of the service.
speed() {
  blocks=$1
  begin=$(date +%s%N)
  sh -c 'echo $$ >"$1/cgroup.procs" && exec dd if=/dev/zero of="$2" bs=64k count="$3" oflag=direct' \
    speed "$group" "$folder/.e2e-fault-probe" "$blocks" 2>"$state/said"
  code=$?
  end=$(date +%s%N)
  rm -f "$folder/.e2e-fault-probe"
  [ "$code" = 0 ] || return 1
  echo $((blocks * 64 * 1000000 / ((end - begin) / 1000 + 1)))
}
kib=$1 folder=$2
[ -s "$state/unit" ] || { echo "nothing had been limited"; exit 0; }
unit=$(cat "$state/unit")
main=$(main_of "$unit")
[ "${main:-0}" -gt 1 ] || { echo "$unit is gone, and its limit with it"; exit 0; }
group=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$main/cgroup")
now=$(speed "$((kib * 2 / 64 + 2))") || fail "$(cat "$state/said")"
[ "$now" -gt $((kib * 3 / 2)) ] || fail "only $now KiB a second are written"
echo "$now KiB a second are written"
