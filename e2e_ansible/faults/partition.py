"""The fault of the network that is cut. The controller's own ssh connection is always left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from e2e_ansible.faults.base import FaultOptions, NodeFacts, Program, Programs, ShellFault
from e2e_ansible.faults.network import REACH, RESTORE, RESTORED, RULES, addresses, table

__all__ = ["Partition"]

_CUT = """\
table=$1 direction=$2 cut=$3
shift 3
{rules}\
drop_in=drop drop_out=drop
[ "$direction" != out ] || drop_in=accept
[ "$direction" != in ] || drop_out=accept
nft -f - <<END || fail "nft did not take the rules"
table inet $table {{
  chain from {{
    type filter hook input priority -350; policy accept;
    iifname "lo" accept
    $neighbours
    $keep_in
$(rules saddr "$drop_in" "$@")
  }}
  chain to {{
    type filter hook output priority -350; policy accept;
    oifname "lo" accept
    $neighbours
    $keep_out
$(rules daddr "$drop_out" "$@")
  }}
}}
END
"""
_CUT_EFFECT = """\
table=$1 direction=$2
[ -s "$state/before" ] || fail "nobody looked who answered before"
still=$(answers $(cat "$state/before"))
[ -z "$still" ] || fail "a connection is still made to" $still
came=$(nft list chain inet "$table" from | sed -n 's/.*packets \\([0-9]*\\) .*drop.*/\\1/p' |
  awk '{ n += $1 } END { print n + 0 }')
if [ "$direction" = in ] && [ "$came" -eq 0 ]; then
  fail "no answer arrived to be dropped, so that the way out is cut as well"
fi
echo "no connection is made to" $(cat "$state/before") "while ssh works"
"""


class PartitionOptions(FaultOptions):
    """How the network is cut. `isolate` cuts each target from every other node, also from other targets."""

    shape: Literal["isolate", "halves", "bridge"] = Field(
        "isolate",
        description="isolate: each target alone; halves: the targets against the rest; "
        "bridge: the rest in two halves that only the targets see both",
    )
    direction: Literal["both", "in", "out"] = Field(
        "both", description="Which packets are lost, as the node sees it"
    )
    cut: Literal["nodes", "all"] = Field(
        "nodes", description="From whom: the other nodes, or everything but the controller's ssh"
    )


class Partition(ShellFault[PartitionOptions]):
    """Packets between nodes are dropped."""

    name = "partition"
    summary = "Drop all packets between nodes: one node alone, two halves, or two halves with a bridge"
    options = PartitionOptions
    effect_proof = "connections that were made before fail, over a new ssh login; one way: answers arrive"
    healing = "the table of its own is deleted; connections are made again"
    works = "everywhere with nftables"
    packages = ("nftables",)
    fresh_login = True
    cuts = True

    def places(
        self, options: PartitionOptions, targets: Sequence[str], nodes: Sequence[str]
    ) -> tuple[str, ...]:
        """The targets; for a bridge the first half of the others."""
        if options.shape != "bridge":
            return tuple(targets)
        rest = [node for node in nodes if node not in targets]
        return tuple(rest[: len(rest) // 2])

    def programs(self, options: PartitionOptions, node: NodeFacts) -> Programs:
        """Rules on this node alone; they drop what it sends as well as what it gets."""
        name = table(node)
        inject = (name, options.direction, options.cut, *addresses(node, self._cut_from(options, node)))
        return Programs(
            inject=Program(REACH + _CUT.format(rules=RULES), inject),
            effect=Program(REACH + _CUT_EFFECT, (name, options.direction)),
            heal=Program(RESTORE, (name,)),
            healed=Program(REACH + RESTORED, (name,)),
        )

    def _cut_from(self, options: PartitionOptions, node: NodeFacts) -> list[str]:
        others = list(node.peers)
        if options.shape == "isolate":
            return others
        rest = [name for name in sorted([*others, node.name]) if name not in node.targets]
        if options.shape == "halves":
            return [name for name in rest if name != node.name]
        first = self.places(options, node.targets, sorted([*others, node.name]))
        return [name for name in rest if name not in first]
