"""Faults of pressure: memory and processors that others want as well, by stress-ng in a unit with limits."""

from __future__ import annotations

from pydantic import Field

from e2e_ansible.faults.base import FaultOptions, NodeFacts, Program, Programs, ShellFault

__all__ = ["CpuPressure", "MemoryPressure"]

#: A container shares memory and processors with the controller.
_CONTAINER_MB = 512
_CONTAINER_WORKERS = 1
_COMMON = """\
unit=e2e-fault-$1.service
pids() { grep -lF "$unit" /proc/[0-9]*/cgroup 2>/dev/null | cut -d / -f 3; }
start() {
  command -v stress-ng >/dev/null || cannot "stress-ng is not installed"
  command -v systemd-run >/dev/null || cannot "there is no systemd-run"
  systemctl reset-failed "$unit" 2>/dev/null
  systemd-run --quiet --collect --unit="$unit" --property=OOMPolicy=continue "$@"
}
"""
_MEMORY = """\
shift
start --property=MemoryMax="$(($1 + 128))M" --property=CPUQuota=50% --property=OOMScoreAdjust=900 \\
  stress-ng --quiet --vm 1 --vm-bytes "$1M" --vm-keep --vm-method zero-one --timeout 0
"""
_MEMORY_EFFECT = """\
wanted=$2
found=0
for pid in $(pids); do
  more=$(sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' "/proc/$pid/status" 2>/dev/null)
  found=$((found + ${more:-0} / 1024))
done
[ "$found" -ge $((wanted * 8 / 10)) ] || fail "only $found MiB are taken, and $wanted were asked for"
echo "$found MiB are taken"
"""
_CPU = """\
shift
start --property=CPUQuota="$(($1 * $2))%" stress-ng --quiet --cpu "$1" --cpu-load "$2" --timeout 0
"""
_CPU_EFFECT = """\
workers=$2 load=$3
ticks() {
  for pid in $(pids); do sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null; done |
    awk '{ n += $12 + $13 } END { print n + 0 }'
}
before=$(ticks)
sleep 1
after=$(ticks)
found=$(((after - before) * 100 / $(getconf CLK_TCK)))
[ "$found" -ge $((workers * load / 5)) ] || fail "only $found % of a processor are taken"
echo "$found % of a processor are taken"
"""
_HEAL = """\
systemctl stop "$unit" 2>/dev/null
systemctl reset-failed "$unit" 2>/dev/null
exit 0
"""
_HEALED = """\
[ -z "$(pids)" ] || fail "processes of $unit are left"
! systemctl is-active --quiet "$unit" || fail "$unit still runs"
echo "$unit is gone"
"""


class MemoryOptions(FaultOptions):
    """How much memory is taken, in MiB."""

    mb: int = Field(256, ge=16, le=1_000_000, description="MiB that are taken")


class MemoryPressure(ShellFault[MemoryOptions]):
    """Memory is scarce."""

    name = "memory_pressure"
    summary = "Take memory with stress-ng, in a unit of its own that is limited to it"
    options = MemoryOptions
    effect_proof = "the processes of the unit hold at least eight tenths of the memory asked for"
    healing = "the unit is stopped; none of its processes is left"
    works = f"everywhere with stress-ng; in containers at most {_CONTAINER_MB} MiB"
    packages = ("stress-ng",)

    def refusal(self, options: MemoryOptions, node: NodeFacts) -> str:
        """A container has no memory of its own."""
        if node.container and options.mb > _CONTAINER_MB:
            return f"{node.name} is a container: more than {_CONTAINER_MB} MiB would be the controller's"
        return super().refusal(options, node)

    def programs(self, options: MemoryOptions, node: NodeFacts) -> Programs:
        """One worker that keeps what it has."""
        how = (node.key, str(options.mb))
        return _programs(_MEMORY, _MEMORY_EFFECT, how)


class CpuOptions(FaultOptions):
    """How many workers, and how busy each is."""

    workers: int = Field(1, ge=1, le=1024, description="Number of busy processes")
    load_percent: int = Field(80, ge=10, le=100, description="How busy each is")


class CpuPressure(ShellFault[CpuOptions]):
    """Processors are busy."""

    name = "cpu_pressure"
    summary = "Keep processors busy with stress-ng, in a unit of its own with a quota"
    options = CpuOptions
    effect_proof = "the processes of the unit use processor time, at least a fifth of what was asked for"
    healing = "the unit is stopped; none of its processes is left"
    works = f"everywhere with stress-ng; in containers {_CONTAINER_WORKERS} worker"
    packages = ("stress-ng",)

    def refusal(self, options: CpuOptions, node: NodeFacts) -> str:
        """A container has no processor of its own."""
        if node.container and options.workers > _CONTAINER_WORKERS:
            return (
                f"{node.name} is a container: more than {_CONTAINER_WORKERS} worker would be the controller's"
            )
        return super().refusal(options, node)

    def programs(self, options: CpuOptions, node: NodeFacts) -> Programs:
        """As many workers as asked for."""
        return _programs(_CPU, _CPU_EFFECT, (node.key, str(options.workers), str(options.load_percent)))


def _programs(inject: str, effect: str, how: tuple[str, ...]) -> Programs:
    return Programs(
        inject=Program(_COMMON + inject, how),
        effect=Program(_COMMON + effect, how),
        heal=Program(_COMMON + _HEAL, how[:1]),
        healed=Program(_COMMON + _HEALED, how[:1]),
    )
