"""Packages of Debian with all that they need: fetched once to the controller, and known to apt on nodes."""

from __future__ import annotations

import hashlib
import re
import shlex
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2e_ansible.artifacts.cache import cached, found
from e2e_ansible.artifacts.delivery import Hands, run_on_node
from e2e_ansible.artifacts.package_scripts import COLLECT, LOAD, STORE
from e2e_ansible.errors import InfrastructureError, UsageError

__all__ = [
    "COLLECT_SECONDS",
    "TAR",
    "Wanted",
    "call",
    "count",
    "ensure",
    "load_packages",
    "machine_of",
    "on_node",
    "pack",
]

COLLECT_SECONDS = 900
TAR = "packages.tar"
_KIND = "packages"
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{1,80}")
_DIGITS = 12
_LOCK_SECONDS = 600


@dataclass(frozen=True)
class Wanted:
    """Packages for nodes that have `basis`: the key of their image, or their release and architecture."""

    names: tuple[str, ...]
    basis: str

    @property
    def key(self) -> str:
        """The name of the entry in the cache and of the archive on nodes."""
        digest = hashlib.sha256("\0".join(sorted(self.names)).encode()).hexdigest()
        return f"{self.basis}-{digest[:_DIGITS]}"

    def check(self) -> None:
        """Refuse what is no package.

        Raises:
            UsageError: there is none, or one has no name of a package.
        """
        wrong = [name for name in self.names if not _NAME.fullmatch(name)]
        if wrong or not self.names:
            said = repr(wrong[0]) if wrong else "none at all"
            raise UsageError(f"packages are names such as redis-server, not {said}")


def ensure(
    wanted: Wanted, make: Callable[[Path, int], None], *, only_look: bool = False
) -> tuple[Path | None, bool]:
    """The archive on the controller, and whether it had to be made; None when it would be and `only_look` is true.

    Raises:
        InfrastructureError: the packages cannot be had.
    """
    wanted.check()
    place = found(_KIND, wanted.key)
    if place is not None:
        return place / TAR, False
    if only_look:
        return None, True
    return cached(_KIND, wanted.key, make, seconds=COLLECT_SECONDS + 60) / TAR, True


def count(tar: Path) -> int:
    """How many packages are in it."""
    with tarfile.open(tar) as archive:
        return sum(name.endswith(".deb") for name in archive.getnames())


def pack(folder: Path, target: Path) -> None:
    """The files of a folder as an archive without folders and owners."""
    with tarfile.open(target, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.add(file, file.name, recursive=False, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode = 0o644
    return member


def call(script: str, *arguments: str) -> list[str]:
    """Arguments that run a script with a shell."""
    return ["/bin/sh", "-c", script, "e2e", *arguments]


def machine_of(hands: Hands) -> str:
    """Release and architecture of a node, such as bookworm-amd64.

    Raises:
        InfrastructureError: it has no packages of Debian.
    """
    script = '. /etc/os-release && echo "$VERSION_CODENAME-$(dpkg --print-architecture)"'
    said = run_on_node(hands, script, "find out which packages the node takes; it must be a Debian").strip()
    if not re.fullmatch(r"[a-z]+-[a-z0-9]+", said):
        raise InfrastructureError(f"the node does not say which packages it takes, but {said[:80]!r}")
    return said


def on_node(
    hands: Hands, names: Sequence[str], fetch: Callable[[str, Path], None]
) -> Callable[[Path, int], None]:
    """What makes the archive on a node, and brings it here with `fetch`."""

    def make(folder: Path, _: int) -> None:
        place = f"/var/tmp/e2e-packages-{hashlib.sha256(str(folder).encode()).hexdigest()[:_DIGITS]}"
        collect = shlex.join(call(COLLECT, str(COLLECT_SECONDS), f"{place}/debs", *names))
        try:
            run_on_node(
                hands,
                f"rm -rf {place}; mkdir {place} && {collect} && tar -C {place}/debs -cf {place}/{TAR} .",
                f"fetch {', '.join(names)} on the node",
            )
            fetch(f"{place}/{TAR}", folder / TAR)
        finally:
            run_on_node(hands, f"rm -rf {place}", "clear up on the node")

    return make


def load_packages(hands: Hands, wanted: Wanted, tar: Path, *, only_look: bool) -> bool:
    """Make the packages known to apt on a node; whether they were not.

    Raises:
        InfrastructureError: they do not fit this node; apt is as it was.
    """
    known = run_on_node(hands, f"ls {STORE} 2>/dev/null || true", "look at the node").split()
    if wanted.key in known or only_look:
        return wanted.key not in known
    names = sorted(wanted.names)
    arrived = hands.transfer(tar)
    words = shlex.join(call(LOAD, str(_LOCK_SECONDS), STORE, wanted.key, arrived, *names))
    run_on_node(hands, words, f"load {', '.join(names)}")
    return True
