"""An sshd on the loopback and one open connection to it, which everything in a section goes through."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.loopback_sshd import loopback_sshd

__all__ = ["Master", "open_master"]

_HOST_KEY = "-oUserKnownHostsFile=/dev/null -oStrictHostKeyChecking=no -oLogLevel=ERROR"


@dataclass(frozen=True)
class Master:
    """`variables` are those of an inventory host that goes through it; `ssh` is the call of ssh that does."""

    variables: str
    ssh: tuple[str, ...]


@contextmanager
def open_master(folder: Path) -> Iterator[Master]:
    """Open it, and close it at the end."""
    with loopback_sshd(folder) as text:
        words = dict(word.split("=", 1) for word in shlex.split(text))
        del words["ansible_control_path"]
        path = f"-oControlPath={folder / 'master'}"
        key, port = words["ansible_ssh_private_key_file"], words["ansible_port"]
        ssh = ("ssh", path, *_HOST_KEY.split(), f"-p{port}", f"-i{key}", "root@127.0.0.1")
        words |= {
            "ansible_host": "127.0.0.1",
            "ansible_ssh_common_args": f"{_HOST_KEY} {path}",
            "ansible_python_interpreter": sys.executable,
        }
        variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in words.items())
        subprocess.run([*ssh, "-oControlMaster=auto", "-oControlPersist=600", "true"], check=True)
        try:
            yield Master(variables, ssh)
        finally:
            subprocess.run([*ssh, "-Oexit"], check=True, capture_output=True)
