"""A disk image as distributions publish for clouds: Debian with cloud-init and a boot loader, of packages only.

Nobody may log in to it, and it has neither a name, nor a machine id, nor host keys: all of that comes from a seed.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import tempfile
from pathlib import Path

from e2e_ansible.providers.local.image import mirror, mmdebstrap
from e2e_ansible.providers.local.mounts import remove_tree
from e2e_ansible.providers.system import locked, run

_BUILD_SECONDS = 1200.0
_SECTOR = 512
_BYTES = 2 * 1024**3
_FIRST = 1024**2  # where the partition begins; the boot loader lies before it
_GRUB = "/usr/lib/grub/i386-pc"

_PACKAGES = (
    "systemd,systemd-sysv,systemd-resolved,dbus,libpam-systemd,udev,kmod,e2fsprogs,procps,iproute2,sudo,python3,"
    "openssh-server,cloud-init,cloud-guest-utils,netplan.io,linux-image-cloud-amd64,initramfs-tools,lz4,grub-pc-bin,grub2-common"
)
# An emulated processor takes long for what an initramfs has by default.
_INITRAMFS = (
    'mkdir -p "$1/etc/initramfs-tools/conf.d"',
    r"""printf 'MODULES=list\nCOMPRESS=lz4\nRESUME=none\n' >"$1/etc/initramfs-tools/conf.d/small" """,
    r"""printf 'virtio_pci\nvirtio_blk\next4\n' >"$1/etc/initramfs-tools/modules" """,
)
_GRUB_CONFIG = r"""set root=(hd0,msdos1)
linux /vmlinuz root=LABEL=cloud ro console=tty0 console=ttyS0,115200
initrd /initrd.img
boot
"""
_HOOKS = (
    'mkdir -p "$1/boot/grub"',
    f"printf '{_GRUB_CONFIG.replace(chr(10), chr(92) + 'n')}' >\"$1/boot/grub/grub.cfg\"",
    'chroot "$1" grub-mkimage --format=i386-pc --output=/boot/core.img --prefix="(hd0,msdos1)/boot/grub"'
    " biosdisk part_msdos ext2 linux normal configfile",
    'echo "LABEL=cloud / ext4 rw,errors=remount-ro,x-systemd.growfs 0 1" >"$1/etc/fstab"',
    'chroot "$1" systemctl enable systemd-networkd.service systemd-resolved.service ssh.service',
    'rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/hostname" "$1/var/lib/dbus/machine-id"',
    ': >"$1/etc/machine-id"',
)
_RECIPE = (
    "--mode=root",
    "--variant=apt",
    f"--include={_PACKAGES}",
    *(f"--essential-hook={hook}" for hook in _INITRAMFS),
    *(f"--customize-hook={hook}" for hook in _HOOKS),
    "bookworm",
)


def cloud_image(images: Path) -> Path:
    """The image below the folder `images`, built there when it is missing."""
    digest = hashlib.sha256("\0".join([*_RECIPE, *mirror(), str(_BYTES)]).encode()).hexdigest()
    image = images / f"cloud-init-{digest[:12]}.qcow2"
    images.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(image.with_suffix(".lock"), _BUILD_SECONDS) as lock:
        if not image.is_file():
            _build(image, lock)
    return image


def _build(image: Path, lock: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix=".unfinished-cloud-", dir=image.parent))
    try:
        tree, raw, made = folder / "tree", folder / "disk.raw", folder / "disk.qcow2"
        mmdebstrap([*_RECIPE, str(tree), *mirror()], image.with_suffix(".log"), lock)
        _pack(tree, raw)
        run(["qemu-img", "convert", "-O", "qcow2", str(raw), str(made)], seconds=300)
        made.rename(image)
    finally:
        if (folder / "tree").exists():
            remove_tree(folder / "tree")
        shutil.rmtree(folder)


def _pack(tree: Path, raw: Path) -> None:
    """One partition, and before it what the BIOS starts: the boot sector and behind it the rest of GRUB."""
    core = (tree / "boot/core.img").read_bytes()
    assert len(core) < _FIRST - _SECTOR
    entry = struct.pack(
        "<B3sB3sII",
        0x80,
        b"\xfe\xff\xff",
        0x83,
        b"\xfe\xff\xff",
        _FIRST // _SECTOR,
        (_BYTES - _FIRST) // _SECTOR,
    )
    first = (
        (tree / _GRUB.lstrip("/") / "boot.img").read_bytes()[:440]
        + b"disk\0\0"
        + entry
        + bytes(48)
        + b"\x55\xaa"
    )
    with raw.open("wb") as file:
        file.write(first + core)
        file.truncate(_BYTES)
    options = f"offset={_FIRST},lazy_itable_init=0,lazy_journal_init=0"
    size = f"{(_BYTES - _FIRST) // 1024}k"
    run(["mkfs.ext4", "-q", "-F", "-L", "cloud", "-E", options, "-d", str(tree), str(raw), size], seconds=300)
