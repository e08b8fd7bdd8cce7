"""Collects packages for nodes of the provider `local`, in a copy of the tree that they are made of."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from e2e_ansible.artifacts.package_scripts import COLLECT
from e2e_ansible.artifacts.packages import COLLECT_SECONDS, TAR, call, pack
from e2e_ansible.errors import InfrastructureError
from e2e_ansible.providers.system import PROGRAMS

__all__ = ["in_image"]

_INSIDE = "/var/tmp/e2e-packages"
#: The mounts are in a name space of their own: they are gone when it ends, however it ends.
_ENTER = """\
set -eu
tree=$1 place=$2
shift 2
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay overlay -o "lowerdir=$tree,upperdir=$place/upper,workdir=$place/work" "$place/root"
rm -f "$place/root/etc/resolv.conf"
cp -L /etc/resolv.conf "$place/root/etc/resolv.conf"
exec chroot "$place/root" "$@"
"""


def in_image(tree: Path, names: Sequence[str]) -> Callable[[Path, int], None]:
    """What makes the archive from the tree of an image, which is not changed."""

    def make(folder: Path, lock: int) -> None:
        place = folder / "place"
        place.mkdir()
        inside = call(COLLECT, str(COLLECT_SECONDS), _INSIDE, *names)
        enter = call(_ENTER, str(tree), str(place), *inside)
        _run(
            ["unshare", "--mount", "--propagation", "private", "--", *enter],
            lock,
            f"fetch {', '.join(names)}",
        )
        pack(place / f"upper{_INSIDE}", folder / TAR)
        subprocess.run(["rm", "-rf", "--one-file-system", str(place)], check=True)

    return make


def _run(argv: Sequence[str], lock: int, what: str) -> None:
    # A folder for temporary files that is here need not be in the tree.
    given = {name: value for name, value in os.environ.items() if name != "TMPDIR"}
    environment = {**given, "PATH": PROGRAMS, "LC_ALL": "C"}
    try:
        process = subprocess.Popen(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            pass_fds=(lock,),
        )
    except FileNotFoundError as error:
        raise InfrastructureError(f"{shlex.quote(argv[0])} is not installed") from error
    with process:
        try:
            said = process.communicate(timeout=COLLECT_SECONDS)[0]
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise InfrastructureError(f"could not {what} within {COLLECT_SECONDS} s") from error
    if process.returncode:
        raise InfrastructureError(f"could not {what}: {said.strip()[-600:]}")
