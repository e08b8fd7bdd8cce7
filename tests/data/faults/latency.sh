# ---- inject
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d 100 0 '' nodes 10.0.0.12,22 fd00::13,2222
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
delay=$1 jitter=$2 reorder=$3 to=$4
shift 4
command -v tc >/dev/null || cannot "tc is not installed"
modprobe sch_netem 2>/dev/null
set -- $(ssh_client) -- "$@"
client='' port=''
[ "$1" = -- ] || { client=$1 port=$4; shift 4; }
shift
plain=''
for peer in "$@"; do plain="$plain ${peer%,*}"; done
[ "$to" = nodes ] || plain=$client
[ -n "$plain" ] || fail "there is no other node whose answers could be late"
set -- $plain
device=$(ip -o route get "$1" | sed -n 's/.* dev \([^ ]*\).*/\1/p')
case $(tc qdisc show dev "$device" root) in
  *netem* | *htb* | *tbf*) cannot "$device is shaped already" ;;
esac
before=$(measure 20 $plain) || cannot "this node cannot send pings"
[ "${before#* }" != -1.0 ] || cannot "$plain do not answer pings"
echo "$plain" >"$state/plain"
echo "${before#* }" >"$state/before"
echo "$device" >"$state/device"
tc qdisc add dev "$device" root handle e2e: prio bands 4 priomap 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 ||
  cannot "the kernel has no prio qdisc"
if ! tc qdisc add dev "$device" parent e2e:4 netem delay "${delay}ms" "${jitter}ms" $reorder 2>"$state/said"; then
  tc qdisc del dev "$device" root
  cannot "the kernel has no netem: $(cat "$state/said")"
fi
if [ -n "$client" ]; then
  tc filter add dev "$device" parent e2e: protocol ip prio 1 u32 match ip dst "$client/32" \
    match ip sport "$port" 0xffff flowid e2e:3 || fail "the ssh connection cannot be left out"
fi
if [ "$to" = all ]; then
  tc filter add dev "$device" parent e2e: protocol ip prio 2 u32 match u32 0 0 flowid e2e:4
else
  for peer in $plain; do
    tc filter add dev "$device" parent e2e: protocol ip prio 2 u32 match ip dst "$peer/32" flowid e2e:4 ||
      fail "no filter for $peer"
  done
fi

# ---- effect
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d 100
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
delay=$1
now=$(measure 20 $(cat "$state/plain")) || fail "no pings can be sent"
echo "${now#* } $(cat "$state/before") $delay" | awk '{ exit !($1 >= $2 + 0.7 * $3) }' ||
  fail "an answer takes ${now#* } ms, and took $(cat "$state/before") ms before"
echo "an answer takes ${now#* } ms, and took $(cat "$state/before") ms before"

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
[ -s "$state/device" ] || exit 0
device=$(cat "$state/device")
case $(tc qdisc show dev "$device" root) in
  *"prio e2e:"* | *"prio e2e"*) tc qdisc del dev "$device" root ;;
esac

# ---- healed
set -- f00d /var/lib/e2e-ansible/faults/cut_0a1b2c3d 100
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
delay=$1
[ -s "$state/device" ] || { echo "nothing had been delayed"; exit 0; }
case $(tc qdisc show dev "$(cat "$state/device")") in *netem*) fail "netem is still there" ;; esac
now=$(measure 20 $(cat "$state/plain")) || fail "no pings can be sent"
echo "${now#* } $(cat "$state/before") $delay" | awk '{ exit !($1 < $2 + 0.5 * $3) }' ||
  fail "an answer still takes ${now#* } ms"
echo "an answer takes ${now#* } ms"
