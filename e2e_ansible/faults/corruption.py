"""The fault of a file: bits of one block of a relation are flipped on a replica."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from e2e_ansible.faults.base import FaultOptions, NodeFacts, Program, Programs, ShellFault
from e2e_ansible.faults.process import FIND

__all__ = ["Corruption"]

_COMMON = """\
sql() { (cd / && runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d "$1" -v relation="${2-}" 2>"$state/said"); }
block_now() { dd if="$path" bs="$size" skip="$block" count=1 2>/dev/null; }
where() { { read -r unit && read -r path && read -r block && read -r size && read -r stop; } <"$state/where"; }
put() {
  dd if="$1" of="$path" bs="$size" seek="$block" count=1 conv=notrunc,fsync 2>"$state/said" ||
    fail "$(cat "$state/said")"
}
"""
_FLIP = """\
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
printf '%s\\n' "$unit" "$path" "$block" "$size" "$stop" >"$state/where"
sync "$state/saved" "$state/bad" "$state/where"
put "$state/bad"
[ "$stop" = no ] || systemctl start "$unit" || fail "$unit does not start"
"""
_FLIP_EFFECT = """\
where || fail "nothing was flipped"
! cmp -s "$state/saved" "$state/bad" || fail "the flipped block is the same"
block_now | cmp -s - "$state/bad" || fail "block $block of $path is not the flipped one"
echo "64 bytes of block $block of $path are flipped"
"""
_FLIP_HEAL = """\
where || exit 0
if block_now | cmp -s - "$state/bad"; then
  [ "$stop" = no ] || systemctl stop "$unit"
  # The server may have written the block anew on its way down; then that is the right one.
  ! block_now | cmp -s - "$state/bad" || put "$state/saved"
fi
systemctl reset-failed "$unit" 2>/dev/null
systemctl is-active --quiet "$unit" || timeout 60 systemctl start "$unit"
"""
_FLIP_HEALED = """\
where || { echo "nothing had been flipped"; exit 0; }
! block_now | cmp -s - "$state/bad" || fail "block $block of $path is still the flipped one"
pg_isready --quiet --timeout=2 || fail "PostgreSQL does not answer yet"
echo "block $block of $path is not the flipped one"
"""
Word = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.$]*$", max_length=127)]


class CorruptionOptions(FaultOptions):
    """Which block."""

    relation: Word = Field(description="Table or index, with its schema if need be")
    database: Word = Field("postgres", description="Its database")
    block: int = Field(
        0, ge=0, le=131_071, description="Number of the block, in the first file of the relation"
    )
    running: bool = Field(
        False, description="Flip under the running server, which may have the right block in memory"
    )
    allow_primary: bool = Field(False, description="Also on a node that takes writes")


class Corruption(ShellFault[CorruptionOptions]):
    """A block that is not what was written."""

    name = "corruption"
    summary = "Flip 64 bytes of one block of a relation on a replica, with the server stopped for a moment"
    options = CorruptionOptions
    effect_proof = "the block, read back from the file, is the flipped one and not the saved one"
    healing = "the saved block is put back, unless the server has written it anew; it is not the flipped one"
    works = "everywhere with PostgreSQL"
    survives_boot = True
    healed_seconds = 90

    def programs(self, options: CorruptionOptions, node: NodeFacts) -> Programs:
        """The saved block and the flipped one are kept on the node."""
        words = (options.database, options.relation, str(options.block))
        flags = ("yes" if options.allow_primary else "no", "no" if options.running else "yes")
        return Programs(
            inject=Program(FIND + _COMMON + _FLIP, (*words, *flags)),
            effect=Program(_COMMON + _FLIP_EFFECT),
            heal=Program(_COMMON + _FLIP_HEAL),
            healed=Program(_COMMON + _FLIP_HEALED),
        )
