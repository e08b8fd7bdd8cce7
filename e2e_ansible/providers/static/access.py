"""How the board of a machine is reached, and its password."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict

from e2e_ansible.errors import ProviderError, UsageError

__all__ = ["Access"]

_VAULT_SECONDS = 60
_PORTS = {"https": 443, "http": 80}
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}


class Access(BaseModel):
    """How the board of one machine is reached. Holds no secret: a file's name, or what `ansible-vault` encrypted.

    `system` is the id or path of the machine, '' when the service has only one. `ca` is a file with certificates,
    '' for those of this controller.
    """

    model_config = ConfigDict(frozen=True)

    url: str
    system: str = ""
    username: str = ""
    password_file: str = ""
    password_vault: str = ""
    ca: str = ""

    @property
    def key(self) -> str:
        """The same for each way to write the address and the system that is meant: boards take an id or its path."""
        parts = urlsplit(self.url)
        port = f":{parts.port}" if parts.port not in (None, _PORTS.get(parts.scheme)) else ""
        system = self.system.rstrip("/").rpartition("/")[2]
        return f"{parts.scheme}://{parts.hostname}{port}{parts.path.rstrip('/')} {system}"

    def checked(self, machine: str) -> Self:
        """Itself.

        Raises:
            UsageError: the URL is none, or would send a password in the clear, or a password is missing.
        """
        if "@" in self.url:  # first of all: the others show the URL
            text = f"e2e_redfish_url of {machine} holds a user or password"
            raise UsageError(text, hint="use e2e_redfish_username and e2e_redfish_password_file")
        parts = _split(self.url)
        if parts is None:
            text = f"e2e_redfish_url of {machine} is {self.url!r}, which is no address"
            raise UsageError(text, hint="https:// and the address of the board, with a port or without")
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _THIS_MACHINE):
            text = f"e2e_redfish_url of {machine} is {self.url!r}, and must begin with https://"
            raise UsageError(text, hint="e2e_redfish_ca names a certificate that is to be trusted")
        if self.username and not (self.password_file or self.password_vault):
            text = f"{machine} has e2e_redfish_username, and neither e2e_redfish_password_file nor a vaulted"
            raise UsageError(f"{text} e2e_redfish_password", hint="put the password into a file of mode 0600")
        return self

    def password(self) -> str:
        """The secret, read anew each time.

        Raises:
            ProviderError: it cannot be read or decrypted.
        """
        if self.password_file:
            try:
                return Path(self.password_file).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise ProviderError(f"e2e_redfish_password_file cannot be read: {error}") from error
        return _decrypted(self.password_vault) if self.password_vault else ""


def _split(url: str) -> SplitResult | None:
    """Its parts; None where it has no host, or a port that none can be."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return None if port == 0 or (parts.scheme == "https" and not parts.hostname) else parts


def _decrypted(vaulted: str) -> str:
    """What `ansible-vault` makes of it, with the passwords that Ansible is configured for; none is asked for."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ansible", "vault", "decrypt"],
            input=vaulted,
            capture_output=True,
            text=True,
            timeout=_VAULT_SECONDS,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProviderError("ansible-vault did not decrypt e2e_redfish_password in time") from error
    if done.returncode:
        raise ProviderError(
            "e2e_redfish_password cannot be decrypted",
            hint="ANSIBLE_VAULT_PASSWORD_FILE names the file with the password of the vault",
        )
    return done.stdout.rstrip("\r\n")
