"""Asks a libvirt daemon by its own client, and tells what kind of trouble an error is.

The client comes with libvirt, so it always fits the daemon; the Python binding would have to be compiled against it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from e2e_ansible.errors import ProviderError
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.system import PROGRAMS, try_run

__all__ = ["INSTALL", "Virsh", "default_uri"]

#: The packages of Debian and Ubuntu; the daemon itself, what it starts, and what we make of it.
INSTALL = (
    "libvirt-daemon-system",
    "libvirt-daemon-driver-qemu",
    "libvirt-clients",
    "qemu-system-x86",
    "qemu-utils",
    "dnsmasq-base",
    "genisoimage",
)
_SECONDS = 60.0

# The first that is found in what virsh says decides.
_TROUBLES: tuple[tuple[str, Trouble], ...] = (
    ("authentication", Trouble.FORBIDDEN),
    ("access denied", Trouble.FORBIDDEN),
    ("socket to '", Trouble.OTHER),
    ("end of file while reading", Trouble.TRANSIENT),
    ("client socket is closed", Trouble.TRANSIENT),
    ("cannot recv data", Trouble.TRANSIENT),
    ("cannot write data", Trouble.TRANSIENT),
    ("connection reset", Trouble.TRANSIENT),
    ("state change lock", Trouble.TRANSIENT),
    ("cannot allocate memory", Trouble.CAPACITY),
    ("cannot set up guest memory", Trouble.CAPACITY),
    ("no space left", Trouble.CAPACITY),
    ("failed to get ", Trouble.MISSING),
    ("not found", Trouble.MISSING),
    ("no domain with matching", Trouble.MISSING),
    ("already", Trouble.CONFLICT),
    ("not running", Trouble.CONFLICT),
    ("is not active", Trouble.CONFLICT),
)


def default_uri() -> str:
    """`$E2E_LIBVIRT_URI`, else `$LIBVIRT_DEFAULT_URI`, else the daemon of the system."""
    return os.environ.get("E2E_LIBVIRT_URI") or os.environ.get("LIBVIRT_DEFAULT_URI") or "qemu:///system"


class Virsh:
    """One connection's worth of calls; each is a process of its own, so nothing stays open."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    @property
    def is_session(self) -> bool:
        """Whether the daemon is one of the user, which may make no network."""
        return self.uri.partition("?")[0].endswith("/session")

    def run(self, *words: str, text: str = "", seconds: float = _SECONDS) -> str:
        """One command of virsh; `text` is what it reads where a word is /dev/stdin. Returns what it wrote.

        Raises:
            CloudError: it failed, took longer than `seconds`, or virsh is not installed.
        """
        if not shutil.which("virsh", path=PROGRAMS):
            raise CloudError(
                "virsh is not installed", Trouble.OTHER, hint=f"apt-get install {' '.join(INSTALL)}"
            )
        try:
            done = try_run(["virsh", "--quiet", "--connect", self.uri, *words], seconds=seconds, text=text)
        except ProviderError as error:
            raise CloudError(str(error), Trouble.TRANSIENT, hint=error.hint) from error
        if done.returncode:
            raise _error(self.uri, words, done.stderr or done.stdout)
        return done.stdout

    def names(self, *words: str) -> list[str]:
        """The lines of a listing, without empty ones."""
        return [line.strip() for line in self.run(*words).splitlines() if line.strip()]


def _error(uri: str, words: Sequence[str], said: str) -> CloudError:
    lines = [line.removeprefix("error:").strip() for line in said.splitlines() if line.strip()]
    text = "; ".join(lines) or "no output"
    trouble = next((kind for sign, kind in _TROUBLES if sign in text.lower()), Trouble.OTHER)
    if "failed to connect" in text.lower() and trouble is not Trouble.TRANSIENT:
        return _unreachable(uri, text, trouble)
    return CloudError(f"virsh {words[0]}: {text}", trouble)


def _unreachable(uri: str, text: str, trouble: Trouble) -> CloudError:
    if "permission denied" in text.lower() or trouble is Trouble.FORBIDDEN:
        return CloudError(
            f"libvirt at {uri} may not be used: {text}",
            Trouble.FORBIDDEN,
            hint="adduser $USER libvirt, and log in anew; or E2E_LIBVIRT_URI=qemu:///session",
        )
    return CloudError(
        f"no libvirt daemon answers at {uri}: {text}",
        Trouble.OTHER,
        hint="systemctl start libvirtd (or virtqemud); E2E_LIBVIRT_URI names another one",
    )
