"""The tree local nodes share: a minimal Debian with systemd, sshd and what roles install, built once per recipe."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

from e2e_ansible.errors import ProviderError, UsageError
from e2e_ansible.providers.local.mounts import remove_tree
from e2e_ansible.providers.mirror import mirror_of
from e2e_ansible.providers.pgdg import image_hooks
from e2e_ansible.providers.releases import DEFAULT_SUITE, Release
from e2e_ansible.providers.system import locked, reported, sync_folder, tail

__all__ = ["ensure_image", "image_key", "mirror", "mmdebstrap", "recipe"]

_BUILD_SECONDS = 1200
_LOG = logging.getLogger(__name__)

_PACKAGES = (
    "systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,python3,python3-apt,sudo,iproute2,procps,ca-certificates,"
    "postgresql,cockpit-ws,cockpit-bridge,nftables,patroni,python3-etcd,etcd-server,etcd-client,pgbackrest,haproxy,"
    "prometheus-postgres-exporter,stress-ng"
)
# Without createcluster.conf in place before PostgreSQL is configured, its package makes a cluster.
_ESSENTIAL_HOOKS = (
    'mkdir -p "$1/etc/postgresql-common"',
    'echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.conf"',
)
_CUSTOMIZE_HOOKS = (
    'chroot "$1" systemctl enable ssh.service systemd-networkd.service',
    'chroot "$1" systemctl disable cockpit.socket patroni etcd haproxy prometheus-postgres-exporter',
    'chroot "$1" systemctl mask apt-daily.timer apt-daily-upgrade.timer',
    'chroot "$1" systemctl mask e2scrub_all.timer e2scrub_reap.service',
    'mkdir -p "$1/var/log/journal"',
    'echo LANG=C.UTF-8 > "$1/etc/default/locale"',
    'rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/machine-id" "$1/var/lib/dbus/machine-id" "$1/etc/hostname"',
    'ln -s /etc/machine-id "$1/var/lib/dbus/machine-id"',
)


def recipe(release: Release) -> list[str]:
    """Arguments of mmdebstrap, without the folder to build in; the suite is the last one.

    Raises:
        UsageError: it is no name of a Debian suite.
    """
    suite = release.suite
    if not re.fullmatch(r"[a-z]{3,20}", suite):
        raise UsageError(f"{suite!r} is no Debian suite", hint=f"for instance {DEFAULT_SUITE}")
    return [
        "--mode=root",
        "--variant=apt",
        "--skip=cleanup/apt/lists",
        f"--include={_PACKAGES}",
        *(f"--essential-hook={hook}" for hook in _ESSENTIAL_HOOKS),
        *(f"--customize-hook={hook}" for hook in (*image_hooks(release), *_CUSTOMIZE_HOOKS)),
        suite,
    ]


def image_key(release: Release) -> str:
    """Name of the image: the release and a digest of everything that goes into it."""
    digest = hashlib.sha256("\0".join([*recipe(release), *mirror()]).encode()).hexdigest()
    more = f"-pg{release.pgdg}" if release.pgdg else ""
    return f"{release.suite}{more}-{digest[:12]}"


def ensure_image(images: Path, release: Release) -> Path:
    """The tree of the image below the folder `images`, built when it is not there (about a minute).

    Nobody may ever write into it. `$E2E_APT_MIRROR` replaces mmdebstrap's own choice of mirror.

    Raises:
        ProviderError: it could not be built; names the end and the path of the log.
    """
    tree = images / image_key(release)
    if tree.is_dir():
        return tree
    images.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(images / f"{tree.name}.lock", _BUILD_SECONDS) as lock:
        if not tree.is_dir():
            _build(tree, release, lock)
    return tree


def mirror() -> list[str]:
    """`$E2E_APT_MIRROR`; mmdebstrap chooses when it is not set."""
    address = mirror_of("E2E_APT_MIRROR")
    return [address] if address else []


def _build(tree: Path, release: Release, lock: int) -> None:
    began = time.monotonic()
    unfinished = tree.with_name(f".unfinished-{tree.name}")
    log = tree.with_name(f"{tree.name}.log")
    _LOG.info("building the image of local nodes, %s (log: %s)", tree.name, log)
    with reported(f"the image {tree.name} could not be built"):
        _discard(unfinished)
        try:
            mmdebstrap([*recipe(release), str(unfinished), *mirror()], log, lock)
            unfinished.rename(tree)
        finally:
            _discard(unfinished)
        sync_folder(tree.parent)
    _LOG.info("built the image %s in %.0f s", tree.name, time.monotonic() - began)


def _discard(folder: Path) -> None:
    if folder.exists():
        remove_tree(folder)


def mmdebstrap(arguments: list[str], log: Path, lock: int) -> None:
    """Run it. It holds `lock` as well, so that no second build begins while that of a killed maker still runs.

    Raises:
        ProviderError: it is not installed, or failed; names the end and the path of the log.
    """
    argv = ["mmdebstrap", *arguments]
    with log.open("w", encoding="utf-8") as output:
        output.write(f"{shlex.join(argv)}\n")
        output.flush()
        try:
            builder = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock,),
            )
        except FileNotFoundError as error:
            raise ProviderError("mmdebstrap is not installed", hint="apt-get install mmdebstrap") from error
    try:
        code = builder.wait(timeout=_BUILD_SECONDS)
    except BaseException as error:
        os.killpg(builder.pid, signal.SIGKILL)
        builder.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        code = -signal.SIGKILL
    if code:
        raise ProviderError(f"mmdebstrap ended with {code}; log: {log}\n{tail(log)}", hint=_hint(log))


def _hint(log: Path) -> str:
    text = tail(log, lines=50)
    if "No space left" in text:
        return f"free space where {log.parent} is; an image takes about 700 MB"
    if "NO_PUBKEY" in text or "keyring" in text:
        return "install debian-archive-keyring and gpg"
    return "set E2E_APT_MIRROR if the default mirror is not reachable"
