"""A folder of a node, with all that is in it, brought to the controller."""

from __future__ import annotations

import hashlib
import shlex
import tarfile
from collections.abc import Callable
from pathlib import Path

from e2e_ansible.artifacts.delivery import Hands, run_on_node
from e2e_ansible.errors import InfrastructureError

__all__ = ["bring_folder"]

_LARGEST = 1 << 30
_DIGITS = 12


def bring_folder(hands: Hands, fetch: Callable[[str, Path], None], source: str, target: Path) -> int:
    """Copy what is in the folder `source` into `target`; how many files there were. A folder that is missing has none.

    Links and devices are left out; nothing is written outside of `target`, whatever the node says.

    Raises:
        InfrastructureError: it cannot be read or copied, or is too large.
    """
    # Not the name of the folder alone: two runs may look at the same node.
    name = hashlib.sha256(f"{source}\0{target}".encode()).hexdigest()[:_DIGITS]
    place, folder = f"/var/tmp/e2e-folder-{name}.tar.gz", shlex.quote(source)
    try:
        said = run_on_node(
            hands,
            f"set -e; [ -d {folder} ] || {{ echo none; exit 0; }}; umask 077; rm -f {place};"
            f' size=$(du -sk {folder} | cut -f 1); [ "$size" -lt {_LARGEST >> 10} ] || {{ echo "it has $size KiB" >&2;'
            f' exit 1; }}; tar -C {folder} -czf {place} .; chown "${{SUDO_UID:-0}}" {place}; echo some',
            f"read the folder {source}",
        )
        if said.strip() != "some":
            return 0
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        here = target.with_name(f".{target.name}.tar.gz")
        try:
            fetch(place, here)
            return _unpack(here, target)
        finally:
            here.unlink(missing_ok=True)
    finally:
        run_on_node(hands, f"rm -f {place}", "clear up on the node")


def _unpack(archive: Path, target: Path) -> int:
    count = 0
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                if member.isreg():
                    members.extract(member, target, filter="data")
                    count += 1
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InfrastructureError(f"what came from the node cannot be unpacked: {error}") from error
    return count
