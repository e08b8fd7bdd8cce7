"""Faults of packets: some are lost, or late. The controller's own ssh connection is always left."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from e2e_ansible.faults.base import FaultOptions, NodeFacts, Program, Programs, ShellFault
from e2e_ansible.faults.network import MEASURE, REACH, RESTORE, RESTORED, RULES, addresses, table

__all__ = ["Latency", "Loss"]

_LOSS = """\
table=$1 percent=$2 cut=$3
shift 3
{rules}\
plain=''
for peer in "$@"; do plain="$plain ${{peer%,*}}"; done
set -- "$@"
before=$(measure 60 $plain) || cannot "this node cannot send pings"
echo "${{before% *}}" | awk -v p="$percent" '{{ exit !($1 < p * 0.4) }}' ||
  cannot "${{before% *}} of a hundred pings are lost already"
echo "$plain" >"$state/plain"
share=$(awk -v p="$percent" 'BEGIN {{ print int(p * 10) }}')
nft -f - <<END || fail "nft did not take the rules"
table inet $table {{
  chain from {{
    type filter hook input priority -350; policy accept;
    iifname "lo" accept
    $neighbours
    $keep_in
$(rules saddr drop "$@" | sed "s/counter drop/numgen random mod 1000 < $share counter drop/")
  }}
}}
END
"""
_LOSS_EFFECT = """\
percent=$2
found=$(measure 200 $(cat "$state/plain")) || fail "no pings can be sent"
echo "${found% *}" | awk -v p="$percent" '{ exit !($1 >= p * 0.4) }' ||
  fail "only ${found% *} of a hundred pings are lost, and $percent were asked for"
echo "${found% *} of a hundred pings are lost, $percent were asked for"
"""


class LossOptions(FaultOptions):
    """How many packets are lost on their way in, in percent."""

    percent: float = Field(30, ge=5, le=95, description="Packets that are lost on their way in, of a hundred")
    cut: Literal["nodes", "all"] = Field(
        "nodes", description="Of whom: the other nodes, or everything but the controller's ssh"
    )


class Loss(ShellFault[LossOptions]):
    """Some packets are dropped."""

    name = "packet_loss"
    summary = "Lose a share of the packets that come from other nodes, at random"
    options = LossOptions
    effect_proof = (
        "pings to the other nodes are lost, at least four tenths of what was asked for; none before"
    )
    healing = "the table of its own is deleted; connections are made again"
    works = "everywhere with nftables and IPv4"
    cuts = True
    packages = ("nftables",)
    fresh_login = True

    def programs(self, options: LossOptions, node: NodeFacts) -> Programs:
        """As a partition, but by chance."""
        name = table(node)
        inject = (name, f"{options.percent:g}", options.cut, *addresses(node, list(node.peers)))
        return Programs(
            inject=Program(REACH + MEASURE + _LOSS.format(rules=RULES), inject),
            effect=Program(MEASURE + _LOSS_EFFECT, inject[:2]),
            heal=Program(RESTORE, (name,)),
            healed=Program(REACH + RESTORED, (name,)),
        )


_LATENCY = """\
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
device=$(ip -o route get "$1" | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')
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
  tc filter add dev "$device" parent e2e: protocol ip prio 1 u32 match ip dst "$client/32" \\
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
"""
_LATENCY_EFFECT = """\
delay=$1
now=$(measure 20 $(cat "$state/plain")) || fail "no pings can be sent"
echo "${now#* } $(cat "$state/before") $delay" | awk '{ exit !($1 >= $2 + 0.7 * $3) }' ||
  fail "an answer takes ${now#* } ms, and took $(cat "$state/before") ms before"
echo "an answer takes ${now#* } ms, and took $(cat "$state/before") ms before"
"""
_LATENCY_HEAL = """\
[ -s "$state/device" ] || exit 0
device=$(cat "$state/device")
case $(tc qdisc show dev "$device" root) in
  *"prio e2e:"* | *"prio e2e"*) tc qdisc del dev "$device" root ;;
esac
"""
_LATENCY_HEALED = """\
delay=$1
[ -s "$state/device" ] || { echo "nothing had been delayed"; exit 0; }
case $(tc qdisc show dev "$(cat "$state/device")") in *netem*) fail "netem is still there" ;; esac
now=$(measure 20 $(cat "$state/plain")) || fail "no pings can be sent"
echo "${now#* } $(cat "$state/before") $delay" | awk '{ exit !($1 < $2 + 0.5 * $3) }' ||
  fail "an answer still takes ${now#* } ms"
echo "an answer takes ${now#* } ms"
"""


class LatencyOptions(FaultOptions):
    """How late packets leave, in milliseconds."""

    delay_ms: int = Field(100, ge=20, le=10_000, description="How late packets leave, in milliseconds")
    jitter_ms: int = Field(0, ge=0, le=5_000, description="How much that varies, in milliseconds")
    reorder_percent: int = Field(0, ge=0, le=100, description="Packets that overtake others, of a hundred")
    cut: Literal["nodes", "all"] = Field(
        "nodes", description="To whom: the other nodes, or everything but the controller's ssh"
    )


class Latency(ShellFault[LatencyOptions]):
    """Packets leave late."""

    name = "latency"
    summary = "Delay the packets that leave for other nodes, with jitter and reordering if asked for"
    options = LatencyOptions
    effect_proof = "a ping takes at least seven tenths of the delay longer than it took before"
    healing = "the queue is removed; a ping is as fast as before"
    works = "where the node's kernel has netem, else refused with the reason; never in containers of `local`"
    packages = ("iproute2",)
    machines_only = True

    def programs(self, options: LatencyOptions, node: NodeFacts) -> Programs:
        """A band of its own for packets to the others."""
        delay = str(options.delay_ms)
        reorder = f"reorder {options.reorder_percent}%" if options.reorder_percent else ""
        to = (options.cut, *addresses(node, list(node.peers)))
        return Programs(
            inject=Program(REACH + MEASURE + _LATENCY, (delay, str(options.jitter_ms), reorder, *to)),
            effect=Program(MEASURE + _LATENCY_EFFECT, (delay,)),
            heal=Program(_LATENCY_HEAL),
            healed=Program(MEASURE + _LATENCY_HEALED, (delay,)),
        )
