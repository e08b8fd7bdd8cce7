"""A libvirt daemon for tests: the one that runs, else one that is started here and ended by its id."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from e2e_ansible.deadline import Deadline

URI = "qemu:///system"
_USERS = Path("/run/lock/e2e-libvirt-tests")
_START_SECONDS = 60
_END_SECONDS = 20

# An emulated machine waits for a processor longer than others, who run beside it: what a daemon starts comes first.
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
exec nice -n -5 libvirtd
"""
_COMMANDS = (["virtlogd"], ["unshare", "--mount", "sh", "-ec", _DAEMON])


@contextmanager
def libvirt_daemon() -> Iterator[str]:
    """The URI of a daemon of the system. What this has started, it ends, and with it the network it has started.

    Several processes may use it at once: the first starts it, and the last ends it.
    """
    with _USERS.open("a+") as users:
        with _gate():
            if not _answers():
                _note(users, _started())
            elif os.fstat(users.fileno()).st_size == 0:
                _note(users, [])
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield URI
        finally:
            with _gate():
                _leave(users)


@contextmanager
def _gate() -> Iterator[None]:
    """One comes or goes at a time."""
    with _USERS.with_suffix(".gate").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield


def _started() -> list[int]:
    """The ids of the daemons, which answer."""
    pids = [_detached(command) for command in _COMMANDS]
    if not Deadline(_START_SECONDS).wait_for(_answers, 0.2):
        _end(pids)
        raise AssertionError("libvirtd does not answer")
    return pids


def _note(users: TextIO, pids: list[int]) -> None:
    """Write down what the last one is to end, and the networks that it is not to."""
    users.truncate(0)
    users.write(json.dumps({"pids": pids, "networks": virsh("net-list", "--name").split()}))
    users.flush()


def _leave(users: TextIO) -> None:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # somebody else still uses it
    users.seek(0)
    noted = json.loads(users.read())
    for network in set(virsh("net-list", "--name").split()) - set(noted["networks"]):
        virsh("net-destroy", network)
    _end(noted["pids"])
    users.truncate(0)


def _end(pids: list[int]) -> None:
    for pid in pids:
        if _runs(pid):
            os.kill(pid, signal.SIGTERM)
        assert Deadline(_END_SECONDS).wait_for(lambda pid=pid: not _runs(pid), 0.1), f"{pid} does not end"


def _detached(command: list[str]) -> int:
    """Its id. It may outlive this session of tests, so it does not carry its mark."""
    environment = {name: value for name, value in os.environ.items() if name != "E2E_TEST_SESSION"}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
    ).pid


def _runs(pid: int) -> bool:
    """Whether a daemon of this id runs; one that nobody has waited for does not."""
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
    except OSError:
        return False
    return name in {"virtlogd", "libvirtd"} and rest.split()[0] != "Z"


def virsh(*words: str, uri: str = URI) -> str:
    """What virsh says, by itself and not by the code under test."""
    done = subprocess.run(
        ["virsh", "--quiet", "--connect", uri, *words],
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
        user = [
            "nice",
            "-n",
            "-5",
            "setpriv",
            f"--reuid={nobody.pw_uid}",
            f"--regid={nobody.pw_gid}",
            "--clear-groups",
        ]
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
