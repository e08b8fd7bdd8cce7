"""An sshd of our own on the loopback of this machine, with keys that exist only for it."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e_ansible.deadline import Deadline

__all__ = ["loopback_sshd"]


@contextmanager
def loopback_sshd(folder: Path) -> Iterator[str]:
    """Host variables, as in an INI inventory, that reach this very machine by ssh; without a master."""
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", folder / key], check=True)
    shutil.copy(folder / "user.pub", folder / "authorized")
    port = _free_port()
    Path("/run/sshd").mkdir(exist_ok=True)
    options = {
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "prohibit-password",
        "ListenAddress": "127.0.0.1",
        "MaxSessions": "1000",  # many inventory names may share one connection
        "MaxStartups": "1000",
        "SetEnv": "SHLVL=2",  # else bash reads the .bashrc of this machine's root for every command
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    command = ["/usr/sbin/sshd", "-D", "-f", "/dev/null", "-p", str(port), *words]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            assert Deadline(10).wait_for(lambda: _listens(port), interval=0.02), "sshd does not listen"
            yield (
                f"ansible_port={port} ansible_user=root ansible_ssh_private_key_file={folder}/user "
                f'ansible_ssh_common_args="-o UserKnownHostsFile=/dev/null" ansible_control_path=none'
            )
        finally:
            server.terminate()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
