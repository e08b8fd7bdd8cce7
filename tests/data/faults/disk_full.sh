# ---- inject
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d /var/lib/postgresql 0 65536 cut_0a1b2c3d
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
# What is said is kept in memory: the folder of the fault may lie on the very disk that is full.
writes() {
  said=$(runuser -u "$(stat -c %U "$folder")" -- \
    dd if=/dev/zero of="$folder/.e2e-fault-probe" bs=1M count="$1" conv=fsync 2>&1)
  code=$?
  rm -f "$folder/.e2e-fault-probe"
  return "$code"
}
folder=$1 leave=$2 most=$3 key=$4
[ -d "$folder" ] || fail "there is no folder $folder"
kind=$(stat -f -c %T "$folder") source=$(df --output=source "$folder" | tail -n 1)
if [ -e /run/systemd/container ] || systemd-detect-virt --container --quiet; then
  case $kind:$source in
    tmpfs:* | *:/dev/loop*) [ "$most" -le 1024 ] || most=1024 ;;
    *) cannot "$folder lies on the disk of the controller; give it a file system of its own, with a bound" ;;
  esac
  [ "$(stat -c %d "$folder")" != "$(stat -c %d /)" ] || cannot "$folder lies on the disk of the controller"
fi
free=$(df --output=avail -B1M "$folder" | tail -n 1)
# Root may take the blocks that are kept back from others.
[ "$(stat -c %U "$folder")" != root ] || free=$(($(stat -f -c '%f * %S' "$folder") / 1048576))
size=$((free - leave))
[ "$size" -gt 0 ] || cannot "only $free MB are free in $folder already"
[ "$size" -le "$most" ] || cannot "$size MB would have to be written, more than max_mb ($most)"
writes "$((leave + 2))" || cannot "nothing can be written to $folder: $said"
echo "$folder/.e2e-fault-$key" >"$state/file"
sync "$state/file"
fallocate -l "${size}M" "$folder/.e2e-fault-$key" 2>/dev/null ||
  said=$(dd if=/dev/zero of="$folder/.e2e-fault-$key" bs=1M count="$size" 2>&1) || fail "$said"

# ---- effect
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d /var/lib/postgresql 0
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
# What is said is kept in memory: the folder of the fault may lie on the very disk that is full.
writes() {
  said=$(runuser -u "$(stat -c %U "$folder")" -- \
    dd if=/dev/zero of="$folder/.e2e-fault-probe" bs=1M count="$1" conv=fsync 2>&1)
  code=$?
  rm -f "$folder/.e2e-fault-probe"
  return "$code"
}
folder=$1 leave=$2
[ -s "$state/file" ] || fail "nothing was written"
if writes "$((leave + 2))"; then fail "$((leave + 2)) MB can still be written to $folder"; fi
case $said in *"o space left"*) ;; *) fail "$said" ;; esac
echo "writing $((leave + 2)) MB to $folder ends with: no space left on device"

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
[ -s "$state/file" ] || exit 0
rm -f "$(cat "$state/file")"

# ---- healed
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d /var/lib/postgresql 0
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
# What is said is kept in memory: the folder of the fault may lie on the very disk that is full.
writes() {
  said=$(runuser -u "$(stat -c %U "$folder")" -- \
    dd if=/dev/zero of="$folder/.e2e-fault-probe" bs=1M count="$1" conv=fsync 2>&1)
  code=$?
  rm -f "$folder/.e2e-fault-probe"
  return "$code"
}
folder=$1 leave=$2
[ -s "$state/file" ] || { echo "nothing had been filled"; exit 0; }
[ ! -e "$(cat "$state/file")" ] || fail "the file is still there"
writes "$((leave + 2))" || fail "$said"
echo "$((leave + 2)) MB can be written to $folder"
