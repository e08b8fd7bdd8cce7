# ---- inject
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d e2e_fault_cut_0a1b2c3d both nodes 10.0.0.12,22 fd00::13,2222
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
answers() {
  for peer in "$@"; do
    (timeout 1 bash -c "exec 3<>/dev/tcp/${peer%,*}/${peer#*,}" 2>/dev/null && echo "$peer") &
  done
  wait
}
ssh_client() {
  pid=$$
  while [ "${pid:-1}" -gt 1 ]; do
    found=$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p')
    [ -n "$found" ] && { echo "$found"; return; }
    pid=$(sed 's/.*) //' "/proc/$pid/stat" | cut -d ' ' -f 2)
  done
}
family() { case $1 in *:*) echo ip6 ;; *) echo ip ;; esac; }
table=$1 direction=$2 cut=$3
shift 3
command -v nft >/dev/null || cannot "nftables is not installed"
answers "$@" >"$state/before"
[ -s "$state/before" ] || fail "no other node answers, so that a cut could not be seen: $*"
set -- $(ssh_client) -- "$@"
client='' port=''
[ "$1" = -- ] || { client=$1 port=$4; shift 4; }
shift
[ "$cut" = nodes ] || [ -n "$client" ] || cannot "the ssh connection of the controller is not found"
keep_in='' keep_out=''
if [ -n "$client" ]; then
  keep_in="$(family "$client") saddr $client tcp dport $port accept"
  keep_out="$(family "$client") daddr $client tcp sport $port accept"
fi
rules() {
  if [ "$cut" = all ]; then
    echo "counter $2"
    return
  fi
  shift_to=$1 what=$2
  shift 2
  for peer in "$@"; do
    echo "$(family "${peer%,*}") $shift_to ${peer%,*} counter $what"
  done
}
neighbours='icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept'
drop_in=drop drop_out=drop
[ "$direction" != out ] || drop_in=accept
[ "$direction" != in ] || drop_out=accept
nft -f - <<END || fail "nft did not take the rules"
table inet $table {
  chain from {
    type filter hook input priority -350; policy accept;
    iifname "lo" accept
    $neighbours
    $keep_in
$(rules saddr "$drop_in" "$@")
  }
  chain to {
    type filter hook output priority -350; policy accept;
    oifname "lo" accept
    $neighbours
    $keep_out
$(rules daddr "$drop_out" "$@")
  }
}
END

# ---- effect
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d e2e_fault_cut_0a1b2c3d both
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
answers() {
  for peer in "$@"; do
    (timeout 1 bash -c "exec 3<>/dev/tcp/${peer%,*}/${peer#*,}" 2>/dev/null && echo "$peer") &
  done
  wait
}
ssh_client() {
  pid=$$
  while [ "${pid:-1}" -gt 1 ]; do
    found=$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p')
    [ -n "$found" ] && { echo "$found"; return; }
    pid=$(sed 's/.*) //' "/proc/$pid/stat" | cut -d ' ' -f 2)
  done
}
family() { case $1 in *:*) echo ip6 ;; *) echo ip ;; esac; }
table=$1 direction=$2
[ -s "$state/before" ] || fail "nobody looked who answered before"
still=$(answers $(cat "$state/before"))
[ -z "$still" ] || fail "a connection is still made to" $still
came=$(nft list chain inet "$table" from | sed -n 's/.*packets \([0-9]*\) .*drop.*/\1/p' |
  awk '{ n += $1 } END { print n + 0 }')
if [ "$direction" = in ] && [ "$came" -eq 0 ]; then
  fail "no answer arrived to be dropped, so that the way out is cut as well"
fi
echo "no connection is made to" $(cat "$state/before") "while ssh works"

# ---- heal
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d e2e_fault_cut_0a1b2c3d
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
table=$1
command -v nft >/dev/null || exit 0
nft list table inet "$table" >/dev/null 2>&1 || exit 0
nft delete table inet "$table"

# ---- healed
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d e2e_fault_cut_0a1b2c3d
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
answers() {
  for peer in "$@"; do
    (timeout 1 bash -c "exec 3<>/dev/tcp/${peer%,*}/${peer#*,}" 2>/dev/null && echo "$peer") &
  done
  wait
}
ssh_client() {
  pid=$$
  while [ "${pid:-1}" -gt 1 ]; do
    found=$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p')
    [ -n "$found" ] && { echo "$found"; return; }
    pid=$(sed 's/.*) //' "/proc/$pid/stat" | cut -d ' ' -f 2)
  done
}
family() { case $1 in *:*) echo ip6 ;; *) echo ip ;; esac; }
table=$1
! nft list table inet "$table" >/dev/null 2>&1 || fail "the table $table is still there"
[ -s "$state/before" ] || { echo "nothing had been cut"; exit 0; }
wanted=''
for peer in $(cat "$state/before"); do
  case " ${off-} " in *" ${peer%,*} "*) ;; *) wanted="$wanted $peer" ;; esac
done
now=$(answers $wanted)
for peer in $wanted; do
  case "$now" in *"$peer"*) ;; *) fail "no connection is made to $peer yet" ;; esac
done
[ -n "$wanted" ] || { echo "the table $table is gone; no other node can answer now"; exit 0; }
echo "connections are made again:" $wanted
