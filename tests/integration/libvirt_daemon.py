"""A libvirt daemon for tests: the one that runs, else one that is started here and ended by its id."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from e2e_ansible.deadline import Deadline

URI = "qemu:///system"
_START_SECONDS = 60
_END_SECONDS = 20

# Without udev the device is only root's. Then libvirt, which may use it while the emulator's user may not, asks the
# emulator for its capabilities at every call, for seconds. So this daemon sees one as udev makes it.
_DAEMON = """
if [ -c /dev/kvm ]; then
  mount -t tmpfs none /mnt
  mknod /mnt/kvm c 10 232
  chown root:kvm /mnt/kvm
  chmod 660 /mnt/kvm
  mount --bind /mnt/kvm /dev/kvm
fi
exec libvirtd
"""


@contextmanager
def libvirt_daemon() -> Iterator[str]:
    """The URI of a daemon of the system. What this has started, it ends, and with it the network it has started."""
    with ExitStack() as stack:
        if not _answers():
            for command in (["virtlogd"], ["unshare", "--mount", "sh", "-ec", _DAEMON]):
                stack.enter_context(_process(command))
            assert Deadline(_START_SECONDS).wait_for(_answers, 0.2), "libvirtd does not answer"
        before = set(virsh("net-list", "--name").split())
        try:
            yield URI
        finally:
            for network in set(virsh("net-list", "--name").split()) - before:
                virsh("net-destroy", network)


def virsh(*words: str) -> str:
    """What virsh says, by itself and not by the code under test."""
    done = subprocess.run(
        ["virsh", "--quiet", "--connect", URI, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"virsh {' '.join(words)}: {done.stderr}"
    return done.stdout


def _answers(uri: str = URI) -> bool:
    command = ["virsh", "--quiet", "--connect", uri, "version", "--daemon"]
    return subprocess.run(command, capture_output=True, check=False, timeout=120).returncode == 0


@contextmanager
def _process(command: list[str]) -> Iterator[None]:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=_END_SECONDS)


@contextmanager
def session_daemon() -> Iterator[tuple[str, Path]]:
    """The URI of a daemon of an ordinary user, and a home below which that user's volumes may be."""
    nobody = pwd.getpwnam("nobody")
    folder = Path(tempfile.mkdtemp(prefix="e2e-session-", dir="/var/tmp"))
    try:
        folder.chmod(0o755)
        for name in ("user", "run", "home", "home/libvirt"):
            (folder / name).mkdir(mode=0o755)
            os.chown(folder / name, nobody.pw_uid, nobody.pw_gid)
        places = [
            f"HOME={folder}/user",
            f"XDG_RUNTIME_DIR={folder}/run",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        ]
        user = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        uri = f"qemu:///session?socket={folder}/run/libvirt/libvirt-sock"
        with ExitStack() as stack:
            for daemon in ("virtlogd", "libvirtd"):
                stack.enter_context(_process([*user, "env", "-i", *places, daemon]))
            assert Deadline(_START_SECONDS).wait_for(lambda: _answers(uri), 0.2), (
                "the session does not answer"
            )
            yield uri, folder / "home"
    finally:
        shutil.rmtree(folder)
