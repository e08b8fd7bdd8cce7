"""The disk that our own virtual machines start from: the tree of local nodes, a kernel, and a first boot."""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e_ansible.providers.local.image import mirror, mmdebstrap, recipe
from e2e_ansible.providers.local.mounts import remove_tree
from e2e_ansible.providers.releases import Release
from e2e_ansible.providers.system import locked, reported, run, sync_folder

__all__ = ["COMMAND_LINE", "GIGABYTES", "Image", "ensure_image", "image_key"]

#: Size of the file system; a larger root volume is filled at the first boot.
GIGABYTES = 8
#: Of the kernel. It is started by the emulator itself, so the disk needs neither partitions nor a boot loader.
COMMAND_LINE = "root=/dev/vda rootflags=noatime rw console=ttyS0 net.ifnames=0 mitigations=off panic=10"

_BUILD_SECONDS = 1200
_LOG = logging.getLogger(__name__)
_FIRST_BOOT = Path(__file__).with_name("first_boot.sh")
_UNIT = Path(__file__).with_name("first_boot.service")
_NETWORK = Path(__file__).with_name("dhcp.network")

# What an initramfs has by default, an emulated processor would unpack for many seconds.
_INITRAMFS = r"MODULES=list\nCOMPRESS=lz4\nRESUME=none\n"
_MODULES = r"virtio_pci\nvirtio_blk\next4\n"
_ESSENTIAL_HOOKS = (
    'mkdir -p "$1/etc/initramfs-tools/conf.d"',
    f"printf '{_INITRAMFS}' > \"$1/etc/initramfs-tools/conf.d/e2e\"",
    f"printf '{_MODULES}' > \"$1/etc/initramfs-tools/modules\"",
)
_CUSTOMIZE_HOOKS = (
    f'install -m 755 "{_FIRST_BOOT}" "$1/usr/local/sbin/e2e-first-boot"',
    f'install -m 644 "{_UNIT}" "$1/etc/systemd/system/e2e-first-boot.service"',
    f'install -m 644 "{_NETWORK}" "$1/etc/systemd/network/50-dhcp.network"',
    'echo "/dev/vda / ext4 rw,noatime,x-systemd.growfs,errors=remount-ro 0 0" > "$1/etc/fstab"',
    'chroot "$1" systemctl enable e2e-first-boot.service systemd-resolved.service',
    'chroot "$1" systemctl mask systemd-networkd-wait-online.service dpkg-db-backup.timer fstrim.timer',
    ': > "$1/etc/machine-id"',
)


@dataclass(frozen=True)
class Image:
    """The three files of an image, complete when its folder is there."""

    folder: Path

    @property
    def key(self) -> str:
        """Its name, which tells everything that went into it."""
        return self.folder.name

    @property
    def disk(self) -> Path:
        """An ext4 file system in a qcow2 file."""
        return self.folder / "root.qcow2"

    @property
    def kernel(self) -> Path:
        """What the emulator starts."""
        return self.folder / "vmlinuz"

    @property
    def initramfs(self) -> Path:
        """What the kernel starts with."""
        return self.folder / "initrd"


def image_recipe(release: Release) -> list[str]:
    """Arguments of mmdebstrap, without the folder to build in.

    Raises:
        UsageError: its suite is no name of a Debian suite.
    """
    return [
        "--include=linux-image-cloud-amd64,initramfs-tools,lz4,kmod,udev,e2fsprogs,systemd-resolved",
        *(f"--essential-hook={hook}" for hook in _ESSENTIAL_HOOKS),
        *recipe(release)[:-1],
        *(f"--customize-hook={hook}" for hook in _CUSTOMIZE_HOOKS),
        release.suite,
    ]


def image_key(release: Release) -> str:
    """Name of the image: the release and a digest of everything that goes into it."""
    files = [path.read_text(encoding="utf-8") for path in (_FIRST_BOOT, _UNIT, _NETWORK)]
    own = str(Path(__file__).parent)
    parts = [*(word.replace(own, "") for word in image_recipe(release)), *mirror(), *files, str(GIGABYTES)]
    more = f"-pg{release.pgdg}" if release.pgdg else ""
    return f"libvirt-{release.suite}{more}-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:12]}"


def ensure_image(images: Path, release: Release) -> Image:
    """The image below the folder `images`, built when it is not there (one to two minutes, root).

    Raises:
        ProviderError: it could not be built; names the end and the path of the log.
    """
    made = Image(images / image_key(release))
    if made.folder.is_dir():
        return made
    images.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(images / f"{made.key}.lock", _BUILD_SECONDS) as lock:
        if not made.folder.is_dir():
            _build(made, release, lock)
    return made


def _build(image: Image, release: Release, lock: int) -> None:
    began = time.monotonic()
    log = image.folder.with_name(f"{image.key}.log")
    _LOG.info("building the image of virtual machines, %s (log: %s)", image.key, log)
    with reported(f"the image {image.key} could not be built"), _unfinished(image.folder) as folder:
        tree = folder / "tree"
        mmdebstrap([*image_recipe(release), str(tree), *mirror()], log, lock)
        _pack(tree, Image(folder))
        folder.rename(image.folder)
    sync_folder(image.folder.parent)
    _LOG.info("built the image %s in %.0f s", image.key, time.monotonic() - began)


def _pack(tree: Path, image: Image) -> None:
    """Turn a tree into a disk; the kernel is beside it."""
    shutil.copyfile((tree / "vmlinuz").resolve(), image.kernel)
    shutil.copyfile((tree / "initrd.img").resolve(), image.initramfs)
    raw = image.folder / "root.raw"
    with raw.open("wb") as file:
        file.truncate(GIGABYTES * 1024**3)
    whole = "lazy_itable_init=0,lazy_journal_init=0"  # else the guest would write them, for minutes
    run(["mkfs.ext4", "-q", "-F", "-L", "e2e-root", "-E", whole, "-d", str(tree), str(raw)], seconds=300)
    remove_tree(tree)
    run(["qemu-img", "convert", "-O", "qcow2", str(raw), str(image.disk)], seconds=300)
    raw.unlink()


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """A folder to build in; what was left there by a killed maker goes first, and what is left goes last."""
    unfinished = folder.with_name(f".unfinished-{folder.name}")
    if unfinished.exists():
        remove_tree(unfinished)
    unfinished.mkdir(mode=0o700)
    try:
        yield unfinished
    finally:
        if unfinished.exists():
            remove_tree(unfinished)
