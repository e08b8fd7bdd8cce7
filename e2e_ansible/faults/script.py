"""Programs of faults as whole scripts, ready to be sent to a node and to be kept there."""

from __future__ import annotations

import hashlib
import re
import shlex

from e2e_ansible.faults.base import Program

__all__ = ["FOLDER", "NOT_OFFERED", "REFUSED", "key_of", "lay_down", "remove", "script", "state_of"]

FOLDER = "/var/lib/e2e-ansible/faults"
NOT_OFFERED = 69
REFUSED = 65
_PRELUDE = """\
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
"""
_LAY_DOWN = """\
folder=$1 key=$2 seconds=$3
umask 077
command -v systemd-run >/dev/null || cannot "there is no systemd-run for the timer that heals if nobody comes"
mkdir -p "$state" || fail "$state cannot be made"
printf %s "$4" >"$folder/$key.json.new" && printf %s "$5" >"$folder/$key.heal.new" || fail "$folder is not writable"
sync "$folder/$key.json.new" "$folder/$key.heal.new"
mv "$folder/$key.heal.new" "$folder/$key.heal" && mv "$folder/$key.json.new" "$folder/$key.json" || fail "$folder"
unit=e2e-heal-$key
systemctl stop "$unit.timer" "$unit.service" 2>/dev/null
systemctl reset-failed "$unit.timer" "$unit.service" 2>/dev/null
systemd-run --quiet --collect --unit="$unit" --on-active="$seconds" --timer-property=AccuracySec=100ms \\
  /bin/sh "$folder/$key.heal" || fail "the timer that heals if nobody comes cannot be set"
"""
_REMOVE = """\
folder=$1 key=$2
unit=e2e-heal-$key
systemctl stop "$unit.timer" 2>/dev/null
rm -rf "$state" "$folder/$key.heal" "$folder/$key.json"
"""
_SLUG = re.compile(r"[^a-z0-9]+")


def key_of(fault_id: str) -> str:
    """A short name for all that a fault leaves on a node; one to one with its id."""
    digest = hashlib.sha256(fault_id.encode()).hexdigest()[:8]
    slug = _SLUG.sub("_", fault_id.lower()).strip("_")[:12].strip("_")
    return f"{slug}_{digest}"


def state_of(key: str) -> str:
    """The folder on the node where a fault keeps what its heal needs."""
    return f"{FOLDER}/{key}"


def script(program: Program, machine_id: str, key: str) -> str:
    """The whole text: it refuses any machine but the one that the guard saw."""
    words = shlex.join([machine_id, state_of(key), *program.arguments])
    return f"set -- {words}\n{_PRELUDE}{program.text}"


def lay_down(machine_id: str, key: str, record: str, heal: str, seconds: float) -> str:
    """Puts the record and the heal onto the node, with the timer that runs it by itself after `seconds`."""
    arguments = (FOLDER, key, f"{seconds:g}", record, heal)
    return script(Program(_LAY_DOWN, arguments), machine_id, key)


def remove(machine_id: str, key: str) -> str:
    """Removes what `lay_down` put there."""
    return script(Program(_REMOVE, (FOLDER, key)), machine_id, key)
