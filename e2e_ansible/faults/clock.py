"""The fault of the clock: it jumps, and nobody corrects it."""

from __future__ import annotations

from pydantic import Field, field_validator

from e2e_ansible.faults.base import FaultOptions, NodeFacts, Program, Programs, ShellFault

__all__ = ["ClockJump"]

_COMMON = """\
boot() { cat /proc/sys/kernel/random/boot_id; }
# What the clock would say without the jump: the uptime knows nothing of it.
right() {
  read -r wall up boot <"$state/before" || return 1
  read -r now rest </proc/uptime
  awk -v wall="$wall" -v up="$up" -v now="$now" 'BEGIN { printf "%.3f", wall + now - up }'
}
offset() { awk -v right="$(right)" -v now="$(date +%s.%N)" 'BEGIN { printf "%.1f", now - right }'; }
"""
_JUMP = """\
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
"""
_JUMP_EFFECT = """\
seconds=$1
[ -s "$state/before" ] || fail "the clock was left alone"
found=$(offset)
awk -v found="$found" -v by="$seconds" 'BEGIN { off = found - by; exit !(off < 2 && off > -2) }' ||
  fail "the clock is off by $found s"
echo "the clock is off by $found s, measured by the uptime"
"""
_JUMP_HEAL = """\
[ -s "$state/before" ] || exit 0
read -r wall up boot <"$state/before"
[ "$boot" != "$(boot)" ] || date -s "@$(right)" >/dev/null
for unit in $(cat "$state/keepers"); do systemctl start "$unit"; done
"""
_JUMP_HEALED = """\
[ -s "$state/before" ] || { echo "the clock was left alone"; exit 0; }
read -r wall up boot <"$state/before"
for unit in $(cat "$state/keepers"); do
  systemctl is-active --quiet "$unit" || fail "$unit does not run"
done
[ "$boot" = "$(boot)" ] || { echo "another boot has read the clock anew"; exit 0; }
found=$(offset)
awk -v found="$found" 'BEGIN { exit !(found < 2 && found > -2) }' || fail "the clock is off by $found s"
echo "the clock is off by $found s"
"""


class JumpOptions(FaultOptions):
    """How far the clock jumps, in seconds; back if negative."""

    seconds: int = Field(300, ge=-86_400, le=86_400, description="How far it jumps; back if negative")

    @field_validator("seconds")
    @classmethod
    def _can_be_seen(cls, value: int) -> int:
        if abs(value) < 5:
            raise ValueError("a jump of less than 5 seconds cannot be proved")
        return value


class ClockJump(ShellFault[JumpOptions]):
    """The wall clock is wrong."""

    name = "clock_jump"
    summary = "Set the wall clock forward or back, with its keepers stopped"
    options = JumpOptions
    effect_proof = "the clock is off by the jump, to two seconds, measured by the uptime"
    healing = (
        "the clock is set back by the measured offset, its keepers run again; it is right to two seconds"
    )
    works = "on machines; a container shares the clock of the controller and is refused"
    machines_only = True

    def programs(self, options: JumpOptions, node: NodeFacts) -> Programs:
        """The same on every machine."""
        by = (str(options.seconds),)
        return Programs(
            inject=Program(_COMMON + _JUMP, by),
            effect=Program(_COMMON + _JUMP_EFFECT, by),
            heal=Program(_COMMON + _JUMP_HEAL),
            healed=Program(_COMMON + _JUMP_HEALED),
        )
