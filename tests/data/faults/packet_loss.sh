# ---- inject
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d e2e_fault_cut_0a1b2c3d 30 nodes 10.0.0.12,22 fd00::13,2222
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
measure() { python3 -I -S - "$@" <<'END'
import os, select, socket, struct, sys, time
def total(data):
    data += b"\0" * (len(data) % 2)
    n = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    n = (n >> 16) + (n & 0xffff)
    return ~(n + (n >> 16)) & 0xffff
def ping(address, count, pause):
    link = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    mark, sent, seen = os.getpid() & 0xffff, {}, {}
    def take(seconds):
        ends = time.monotonic() + seconds
        while select.select([link], [], [], max(0, ends - time.monotonic()))[0]:
            data, (source, _) = link.recvfrom(2048)
            head = data[(data[0] & 15) * 4:][:8]
            kind, _, _, ident, number = struct.unpack("!BBHHH", head)
            if kind == 0 and ident == mark and source == address and number not in seen:
                seen[number] = time.monotonic() - sent[number]
    for number in range(count):
        head = struct.pack("!BBHHH", 8, 0, 0, mark, number)
        packet = struct.pack("!BBHHH", 8, 0, total(head), mark, number)
        sent[number] = time.monotonic()
        try:
            link.sendto(packet, (address, 0))
        except PermissionError:
            pass
        take(pause)
    take(1.0)
    times = sorted(seen.values())
    lost = 100.0 * (count - len(seen)) / count
    return lost, 1000 * times[len(times) // 2] if times else -1
addresses, count = sys.argv[2:], int(sys.argv[1])
found = [ping(address, count, 0.01) for address in addresses]
print("%.1f %.1f" % (min(f[0] for f in found), min(f[1] for f in found)))
END
}
table=$1 percent=$2 cut=$3
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
plain=''
for peer in "$@"; do plain="$plain ${peer%,*}"; done
set -- "$@"
before=$(measure 60 $plain) || cannot "this node cannot send pings"
echo "${before% *}" | awk -v p="$percent" '{ exit !($1 < p * 0.4) }' ||
  cannot "${before% *} of a hundred pings are lost already"
echo "$plain" >"$state/plain"
share=$(awk -v p="$percent" 'BEGIN { print int(p * 10) }')
nft -f - <<END || fail "nft did not take the rules"
table inet $table {
  chain from {
    type filter hook input priority -350; policy accept;
    iifname "lo" accept
    $neighbours
    $keep_in
$(rules saddr drop "$@" | sed "s/counter drop/numgen random mod 1000 < $share counter drop/")
  }
}
END

# ---- effect
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d e2e_fault_cut_0a1b2c3d 30
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
measure() { python3 -I -S - "$@" <<'END'
import os, select, socket, struct, sys, time
def total(data):
    data += b"\0" * (len(data) % 2)
    n = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    n = (n >> 16) + (n & 0xffff)
    return ~(n + (n >> 16)) & 0xffff
def ping(address, count, pause):
    link = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    mark, sent, seen = os.getpid() & 0xffff, {}, {}
    def take(seconds):
        ends = time.monotonic() + seconds
        while select.select([link], [], [], max(0, ends - time.monotonic()))[0]:
            data, (source, _) = link.recvfrom(2048)
            head = data[(data[0] & 15) * 4:][:8]
            kind, _, _, ident, number = struct.unpack("!BBHHH", head)
            if kind == 0 and ident == mark and source == address and number not in seen:
                seen[number] = time.monotonic() - sent[number]
    for number in range(count):
        head = struct.pack("!BBHHH", 8, 0, 0, mark, number)
        packet = struct.pack("!BBHHH", 8, 0, total(head), mark, number)
        sent[number] = time.monotonic()
        try:
            link.sendto(packet, (address, 0))
        except PermissionError:
            pass
        take(pause)
    take(1.0)
    times = sorted(seen.values())
    lost = 100.0 * (count - len(seen)) / count
    return lost, 1000 * times[len(times) // 2] if times else -1
addresses, count = sys.argv[2:], int(sys.argv[1])
found = [ping(address, count, 0.01) for address in addresses]
print("%.1f %.1f" % (min(f[0] for f in found), min(f[1] for f in found)))
END
}
percent=$2
found=$(measure 200 $(cat "$state/plain")) || fail "no pings can be sent"
echo "${found% *}" | awk -v p="$percent" '{ exit !($1 >= p * 0.4) }' ||
  fail "only ${found% *} of a hundred pings are lost, and $percent were asked for"
echo "${found% *} of a hundred pings are lost, $percent were asked for"

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
