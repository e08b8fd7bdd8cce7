"""Faults of the disk: full, or slow."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from e2e_ansible.faults.base import FaultOptions, NodeFacts, Program, Programs, ShellFault
from e2e_ansible.faults.process import FIND

__all__ = ["DiskFull", "DiskSlow"]

Folder = Annotated[str, Field(pattern=r"^/[A-Za-z0-9_./@+-]+$", max_length=300)]
_WRITES = """\
# What is said is kept in memory: the folder of the fault may lie on the very disk that is full.
writes() {
  said=$(runuser -u "$(stat -c %U "$folder")" -- \\
    dd if=/dev/zero of="$folder/.e2e-fault-probe" bs=1M count="$1" conv=fsync 2>&1)
  code=$?
  rm -f "$folder/.e2e-fault-probe"
  return "$code"
}
"""
_FULL = """\
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
"""
_FULL_EFFECT = """\
folder=$1 leave=$2
[ -s "$state/file" ] || fail "nothing was written"
if writes "$((leave + 2))"; then fail "$((leave + 2)) MB can still be written to $folder"; fi
case $said in *"o space left"*) ;; *) fail "$said" ;; esac
echo "writing $((leave + 2)) MB to $folder ends with: no space left on device"
"""
_FULL_HEAL = """\
[ -s "$state/file" ] || exit 0
rm -f "$(cat "$state/file")"
"""
_FULL_HEALED = """\
folder=$1 leave=$2
[ -s "$state/file" ] || { echo "nothing had been filled"; exit 0; }
[ ! -e "$(cat "$state/file")" ] || fail "the file is still there"
writes "$((leave + 2))" || fail "$said"
echo "$((leave + 2)) MB can be written to $folder"
"""


class FullOptions(FaultOptions):
    """Which file system, and how much of it is left; in MiB."""

    folder: Folder = Field("/var/lib/postgresql", description="A folder of the file system that is filled")
    leave_mb: int = Field(0, ge=0, le=100_000, description="MiB that are left")
    max_mb: int = Field(65_536, ge=1, le=10_000_000, description="More MiB than this are never written")


class DiskFull(ShellFault[FullOptions]):
    """No space left on device."""

    name = "disk_full"
    summary = "Fill the file system of the data folder with one file, up to a rest"
    options = FullOptions
    effect_proof = "a write of the owner of the folder ends with ENOSPC; the same write succeeded before"
    healing = "the file is removed; the same write succeeds"
    works = "on machines; in containers only where the folder is a tmpfs or a loop device of at most 1 GiB"
    survives_boot = True

    def programs(self, options: FullOptions, node: NodeFacts) -> Programs:
        """One file, whose name is kept before it is made."""
        where = (options.folder, str(options.leave_mb))
        return Programs(
            inject=Program(_WRITES + _FULL, (*where, str(options.max_mb), node.key)),
            effect=Program(_WRITES + _FULL_EFFECT, where),
            heal=Program(_FULL_HEAL),
            healed=Program(_WRITES + _FULL_HEALED, where),
        )


_SPEED = """\
# KiB a second, of writes that pass the cache, in the control group of the service.
speed() {
  blocks=$1
  begin=$(date +%s%N)
  sh -c 'echo $$ >"$1/cgroup.procs" && exec dd if=/dev/zero of="$2" bs=64k count="$3" oflag=direct' \\
    speed "$group" "$folder/.e2e-fault-probe" "$blocks" 2>"$state/said"
  code=$?
  end=$(date +%s%N)
  rm -f "$folder/.e2e-fault-probe"
  [ "$code" = 0 ] || return 1
  echo $((blocks * 64 * 1000000 / ((end - begin) / 1000 + 1)))
}
"""
_SLOW = """\
kib=$1 folder=$2
unit=$(unit_of postgres)
[ -n "$unit" ] || fail "PostgreSQL has no service here"
main=$(main_of "$unit")
[ "${main:-0}" -gt 1 ] || fail "$unit does not run"
group=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$main/cgroup")
[ -w "$group/cgroup.procs" ] || cannot "there is no unified control group of $unit"
grep -qw io /sys/fs/cgroup/cgroup.controllers || cannot "the kernel does not limit IO by control group"
blocks=$((kib * 2 / 64 + 2))
before=$(speed "$blocks") || cannot "no direct write can be made: $(cat "$state/said")"
[ "$before" -gt $((kib * 2)) ] || cannot "the disk writes only $before KiB a second as it is"
echo "$unit" >"$state/unit"
echo "$group" >"$state/group"
sync "$state/unit" "$state/group"
systemctl set-property --runtime "$unit" "IOWriteBandwidthMax=$folder ${kib}K" "IOReadBandwidthMax=$folder ${kib}K"
"""
_SLOW_EFFECT = """\
kib=$1 folder=$2
group=$(cat "$state/group") || fail "nothing was limited"
now=$(speed "$((kib * 2 / 64 + 2))") || fail "$(cat "$state/said")"
[ "$now" -le $((kib * 3 / 2)) ] || fail "$now KiB a second are written, and $kib were allowed"
echo "$now KiB a second are written, $kib are allowed"
"""
_SLOW_HEAL = """\
[ -s "$state/unit" ] || exit 0
systemctl set-property --runtime "$(cat "$state/unit")" IOWriteBandwidthMax= IOReadBandwidthMax=
"""
_SLOW_HEALED = """\
kib=$1 folder=$2
[ -s "$state/unit" ] || { echo "nothing had been limited"; exit 0; }
unit=$(cat "$state/unit")
main=$(main_of "$unit")
[ "${main:-0}" -gt 1 ] || { echo "$unit is gone, and its limit with it"; exit 0; }
group=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$main/cgroup")
now=$(speed "$((kib * 2 / 64 + 2))") || fail "$(cat "$state/said")"
[ "$now" -gt $((kib * 3 / 2)) ] || fail "only $now KiB a second are written"
echo "$now KiB a second are written"
"""


class SlowOptions(FaultOptions):
    """How slow, in KiB a second."""

    kib_per_second: int = Field(512, ge=64, le=1_000_000, description="Most that is read and written, each")
    folder: Folder = Field("/var/lib/postgresql", description="A folder of the disk that is slow")


class DiskSlow(ShellFault[SlowOptions]):
    """A disk that hardly moves."""

    name = "disk_slow"
    summary = "Limit how fast PostgreSQL reads and writes its disk, by its control group"
    options = SlowOptions
    effect_proof = (
        "a direct write in the same control group is as slow as asked for; it was twice as fast before"
    )
    healing = "the limit is lifted; the same write is fast again"
    works = "on machines with unified control groups and the io controller"
    machines_only = True

    def programs(self, options: SlowOptions, node: NodeFacts) -> Programs:
        """A limit of the running service, which its next start does not have."""
        how = (str(options.kib_per_second), options.folder)
        return Programs(
            inject=Program(FIND + _SPEED + _SLOW, how),
            effect=Program(_SPEED + _SLOW_EFFECT, how),
            heal=Program(_SLOW_HEAL),
            healed=Program(FIND + _SPEED + _SLOW_HEALED, how),
        )
