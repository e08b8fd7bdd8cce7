# ---- inject
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d 300
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
boot() { cat /proc/sys/kernel/random/boot_id; }
# What the clock would say without the jump: the uptime knows nothing of it.
right() {
  read -r wall up boot <"$state/before" || return 1
  read -r now rest </proc/uptime
  awk -v wall="$wall" -v up="$up" -v now="$now" 'BEGIN { printf "%.3f", wall + now - up }'
}
offset() { awk -v right="$(right)" -v now="$(date +%s.%N)" 'BEGIN { printf "%.1f", now - right }'; }
seconds=$1
: >"$state/keepers"
for unit in systemd-timesyncd chrony chronyd ntp ntpd ntpsec openntpd; do
  if systemctl is-active --quiet "$unit"; then
    echo "$unit" >>"$state/keepers"
    systemctl stop "$unit"
  fi
done
read -r up rest </proc/uptime
echo "$(date +%s.%N) $up $(boot)" >"$state/before"
sync "$state/before" "$state/keepers"
date -s "@$(awk -v now="$(date +%s.%N)" -v by="$seconds" 'BEGIN { printf "%.3f", now + by }')" >/dev/null ||
  cannot "the clock cannot be set"

# ---- effect
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d 300
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
boot() { cat /proc/sys/kernel/random/boot_id; }
# What the clock would say without the jump: the uptime knows nothing of it.
right() {
  read -r wall up boot <"$state/before" || return 1
  read -r now rest </proc/uptime
  awk -v wall="$wall" -v up="$up" -v now="$now" 'BEGIN { printf "%.3f", wall + now - up }'
}
offset() { awk -v right="$(right)" -v now="$(date +%s.%N)" 'BEGIN { printf "%.1f", now - right }'; }
seconds=$1
[ -s "$state/before" ] || fail "the clock was left alone"
found=$(offset)
awk -v found="$found" -v by="$seconds" 'BEGIN { off = found - by; exit !(off < 2 && off > -2) }' ||
  fail "the clock is off by $found s"
echo "the clock is off by $found s, measured by the uptime"

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
boot() { cat /proc/sys/kernel/random/boot_id; }
# What the clock would say without the jump: the uptime knows nothing of it.
right() {
  read -r wall up boot <"$state/before" || return 1
  read -r now rest </proc/uptime
  awk -v wall="$wall" -v up="$up" -v now="$now" 'BEGIN { printf "%.3f", wall + now - up }'
}
offset() { awk -v right="$(right)" -v now="$(date +%s.%N)" 'BEGIN { printf "%.1f", now - right }'; }
[ -s "$state/before" ] || exit 0
read -r wall up boot <"$state/before"
[ "$boot" != "$(boot)" ] || date -s "@$(right)" >/dev/null
for unit in $(cat "$state/keepers"); do systemctl start "$unit"; done

# ---- healed
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
boot() { cat /proc/sys/kernel/random/boot_id; }
# What the clock would say without the jump: the uptime knows nothing of it.
right() {
  read -r wall up boot <"$state/before" || return 1
  read -r now rest </proc/uptime
  awk -v wall="$wall" -v up="$up" -v now="$now" 'BEGIN { printf "%.3f", wall + now - up }'
}
offset() { awk -v right="$(right)" -v now="$(date +%s.%N)" 'BEGIN { printf "%.1f", now - right }'; }
[ -s "$state/before" ] || { echo "the clock was left alone"; exit 0; }
read -r wall up boot <"$state/before"
for unit in $(cat "$state/keepers"); do
  systemctl is-active --quiet "$unit" || fail "$unit does not run"
done
[ "$boot" = "$(boot)" ] || { echo "another boot has read the clock anew"; exit 0; }
found=$(offset)
awk -v found="$found" 'BEGIN { exit !(found < 2 && found > -2) }' || fail "the clock is off by $found s"
echo "the clock is off by $found s"
