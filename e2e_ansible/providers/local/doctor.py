"""What local nodes need on the controller."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from e2e_ansible.providers.base import Finding
from e2e_ansible.providers.local import inotify

__all__ = ["findings"]

_PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "ssh-keygen": "openssh-client",
    "setsid": "util-linux",
    "mount": "mount",
    # Without it mmdebstrap cannot tell whether the host's apt trusts Debian's keys; on Ubuntu it does not.
    "gpg": "gpg",
}
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_SEARCH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))
_FILESYSTEMS = Path("/proc/filesystems")
_MODULES = Path("/lib/modules")
_FREE_BYTES = 3 * 1024**3
_NODES = 4


def findings(home: Path) -> Sequence[Finding]:
    """Everything, whether it is there or not; changes nothing."""
    return [
        _root(),
        *(_program(name, package) for name, package in _PROGRAMS.items()),
        _keyring(),
        _overlay(),
        _disk(home),
        _inotify(),
    ]


def _install(package: str) -> tuple[str, ...]:
    return ("apt-get", "install", "--yes", "--no-install-recommends", package)


def _root() -> Finding:
    user = os.geteuid()
    return Finding(name="root", ok=user == 0, detail=f"runs as user {user}; containers need root")


def _program(name: str, package: str) -> Finding:
    found = shutil.which(name, path=_SEARCH)
    if found:
        return Finding(name=name, ok=True, detail=found)
    return Finding(name=name, ok=False, detail=f"{name} is not installed", remedy=_install(package))


def _keyring() -> Finding:
    package = "debian-archive-keyring"
    if _KEYRING.exists():
        return Finding(name=package, ok=True, detail=str(_KEYRING))
    detail = f"{_KEYRING} is missing; packages of the nodes cannot be verified"
    return Finding(name=package, ok=False, detail=detail, remedy=_install(package))


def _overlay(filesystems: Path = _FILESYSTEMS, modules: Path = _MODULES) -> Finding:
    """The first mount loads the module, so it is enough that there is one."""
    if "overlay" in filesystems.read_text().split():
        return Finding(name="overlayfs", ok=True, detail="in the kernel")
    listed = modules / os.uname().release / "modules.dep"
    ok = listed.is_file() and "/overlay.ko" in listed.read_text()
    detail = f"a module of {listed.parent}" if ok else "the kernel has no overlay file system"
    return Finding(name="overlayfs", ok=ok, detail=detail)


def _disk(home: Path) -> Finding:
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    detail = f"{free / 1024**3:.1f} GiB free in {place}, {_FREE_BYTES // 1024**3} needed"
    return Finding(name="disk", ok=free >= _FREE_BYTES, detail=detail)


def _inotify() -> Finding:
    most = inotify.limit()
    detail = f"{most} instances for root, enough for {most // inotify.INSTANCES_PER_NODE} nodes at once"
    return Finding(name="inotify", ok=most >= _NODES * inotify.INSTANCES_PER_NODE, detail=detail)
