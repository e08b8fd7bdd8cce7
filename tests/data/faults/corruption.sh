# ---- inject
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d postgres pg_class 0 no yes
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
sql() { (cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d "$1" -v relation="${2-}" 2>"$state/said"); }
block_now() { dd if="$path" bs="$size" skip="$block" count=1 2>/dev/null; }
where() { { read -r unit && read -r path && read -r block && read -r size && read -r stop; } <"$state/where"; }
put() {
  dd if="$1" of="$path" bs="$size" seek="$block" count=1 conv=notrunc,fsync 2>"$state/said" ||
    fail "$(cat "$state/said")"
}
database=$1 relation=$2 block=$3 primary=$4 stop=$5
recovers=$(echo 'select pg_is_in_recovery()' | sql "$database") ||
  fail "PostgreSQL does not answer: $(cat "$state/said")"
[ "$recovers" = t ] || [ "$primary" = yes ] ||
  cannot "this node takes writes, and corruption is meant for a replica; else say allow_primary"
path=$(echo "select current_setting('data_directory') || '/' || pg_relation_filepath(:'relation'::regclass)" |
  sql "$database" "$relation") || fail "$(cat "$state/said")"
size=$(echo "select current_setting('block_size')" | sql "$database")
echo checkpoint | sql "$database" || fail "$(cat "$state/said")"
[ -f "$path" ] || fail "the relation $relation has no file"
[ "$block" -lt $(($(stat -c %s "$path") / size)) ] || fail "the relation $relation has no block $block"
unit=$(unit_of postgres)
[ "$stop" = no ] || systemctl stop "$unit" || fail "$unit cannot be stopped"
block_now >"$state/saved"
python3 -I -S -c '
import sys
data = bytearray(open(sys.argv[1], "rb").read())
for place in range(len(data) - 96, len(data) - 32):
    data[place] ^= 0xFF
open(sys.argv[2], "wb").write(data)
' "$state/saved" "$state/bad"
printf '%s\n' "$unit" "$path" "$block" "$size" "$stop" >"$state/where"
sync "$state/saved" "$state/bad" "$state/where"
put "$state/bad"
[ "$stop" = no ] || systemctl start "$unit" || fail "$unit does not start"

# ---- effect
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
sql() { (cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d "$1" -v relation="${2-}" 2>"$state/said"); }
block_now() { dd if="$path" bs="$size" skip="$block" count=1 2>/dev/null; }
where() { { read -r unit && read -r path && read -r block && read -r size && read -r stop; } <"$state/where"; }
put() {
  dd if="$1" of="$path" bs="$size" seek="$block" count=1 conv=notrunc,fsync 2>"$state/said" ||
    fail "$(cat "$state/said")"
}
where || fail "nothing was flipped"
! cmp -s "$state/saved" "$state/bad" || fail "the flipped block is the same"
block_now | cmp -s - "$state/bad" || fail "block $block of $path is not the flipped one"
echo "64 bytes of block $block of $path are flipped"

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
sql() { (cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d "$1" -v relation="${2-}" 2>"$state/said"); }
block_now() { dd if="$path" bs="$size" skip="$block" count=1 2>/dev/null; }
where() { { read -r unit && read -r path && read -r block && read -r size && read -r stop; } <"$state/where"; }
put() {
  dd if="$1" of="$path" bs="$size" seek="$block" count=1 conv=notrunc,fsync 2>"$state/said" ||
    fail "$(cat "$state/said")"
}
where || exit 0
if block_now | cmp -s - "$state/bad"; then
  [ "$stop" = no ] || systemctl stop "$unit"
  # The server may have written the block anew on its way down; then that is the right one.
  ! block_now | cmp -s - "$state/bad" || put "$state/saved"
fi
systemctl reset-failed "$unit" 2>/dev/null
systemctl is-active --quiet "$unit" || timeout 60 systemctl start "$unit"

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
sql() { (cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d "$1" -v relation="${2-}" 2>"$state/said"); }
block_now() { dd if="$path" bs="$size" skip="$block" count=1 2>/dev/null; }
where() { { read -r unit && read -r path && read -r block && read -r size && read -r stop; } <"$state/where"; }
put() {
  dd if="$1" of="$path" bs="$size" seek="$block" count=1 conv=notrunc,fsync 2>"$state/said" ||
    fail "$(cat "$state/said")"
}
where || { echo "nothing had been flipped"; exit 0; }
! block_now | cmp -s - "$state/bad" || fail "block $block of $path is still the flipped one"
pg_isready --quiet --timeout=2 || fail "PostgreSQL does not answer yet"
echo "block $block of $path is not the flipped one"
