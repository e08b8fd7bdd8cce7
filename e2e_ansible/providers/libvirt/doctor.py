"""What virtual machines need on the controller."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from e2e_ansible.errors import ProviderError
from e2e_ansible.providers.base import Finding
from e2e_ansible.providers.libvirt.acceleration import SETTING, known_answer
from e2e_ansible.providers.libvirt.image import image_key
from e2e_ansible.providers.libvirt.virsh import Virsh
from e2e_ansible.providers.releases import Release
from e2e_ansible.providers.system import PROGRAMS

__all__ = ["findings"]

_PROGRAMS = {
    "virsh": "libvirt-clients",
    "qemu-img": "qemu-utils",
    "genisoimage": "genisoimage",
    "ssh-keygen": "openssh-client",
}
_FOR_BUILDING = {"mmdebstrap": "mmdebstrap", "mkfs.ext4": "e2fsprogs"}
_DAEMON = ("libvirt-daemon-system", "libvirt-daemon-driver-qemu", "dnsmasq-base")
_FREE_BYTES = 4 * 1024**3


def findings(virsh: Virsh, home: Path) -> Sequence[Finding]:
    """Everything, whether it is there or not; changes nothing."""
    return [
        *(_program(name, package) for name, package in _PROGRAMS.items()),
        _program("qemu-system-x86_64", "qemu-system-x86"),
        _daemon(virsh),
        _kvm(virsh, home),
        *_building(home),
        _disk(home),
    ]


def _install(*packages: str) -> tuple[str, ...]:
    return ("apt-get", "install", "--yes", "--no-install-recommends", *packages)


def _program(name: str, package: str) -> Finding:
    found = shutil.which(name, path=PROGRAMS)
    if found:
        return Finding(name=name, ok=True, detail=found)
    return Finding(name=name, ok=False, detail=f"{name} is not installed", remedy=_install(package))


def _daemon(virsh: Virsh) -> Finding:
    installed = any(shutil.which(name, path=PROGRAMS) for name in ("libvirtd", "virtqemud"))
    remedy = None if installed else _install(*_DAEMON)
    try:
        said = virsh.names("version", "--daemon")
    except ProviderError as error:
        return Finding(name="libvirt", ok=False, detail=f"{error}; {error.hint}", remedy=remedy)
    return Finding(name="libvirt", ok=True, detail=f"{virsh.uri}: {said[-1]}")


def _kvm(virsh: Virsh, home: Path) -> Finding:
    """Never a fault: without KVM machines are emulated, about ten times slower."""
    forced = os.environ.get(SETTING)
    if forced:
        return Finding(name="KVM", ok=True, detail=f"{SETTING} is {forced}")
    answer = known_answer(virsh, home)
    detail = answer.detail if answer else "not tried yet since the last boot; the first deployment does"
    return Finding(name="KVM", ok=True, detail=detail)


def _building(home: Path) -> list[Finding]:
    key = image_key(Release())
    if (home / "images" / key).is_dir():
        return [Finding(name="image", ok=True, detail=f"{key} is built")]
    user = os.geteuid()
    root = Finding(name="root", ok=user == 0, detail=f"runs as user {user}; building the image needs root")
    needed = [*(_program(name, package) for name, package in _FOR_BUILDING.items()), root]
    return [each.model_copy(update={"optional": True}) for each in needed]  # a suite may bring its image


def _disk(home: Path) -> Finding:
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    detail = f"{free / 1024**3:.1f} GiB free in {place}, {_FREE_BYTES // 1024**3} needed"
    return Finding(name="disk", ok=free >= _FREE_BYTES, detail=detail)
