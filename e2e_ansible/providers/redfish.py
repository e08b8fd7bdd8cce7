"""Power of one machine by Redfish, the interface of server boards. The SDK `sushy` does the talking."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import ProviderError, UnsupportedOperation, UsageError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Operation, PowerResult
from e2e_ansible.providers.cloud.sdk import load
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble, patiently

__all__ = ["Access", "Redfish", "operate"]

T = TypeVar("T")

_EXTRA = "static"
_ROOT = "/redfish/v1/"
_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 20
_LOOK_SECONDS = 1.0
_VAULT_SECONDS = 60
_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}
_STATES = {"On": PowerState.ON, "Off": PowerState.OFF}
#: What each operation may be called, best first. No button is pushed: what that does depends on the state.
_KINDS: Mapping[Operation, tuple[str, ...]] = {
    Operation.ON: ("On", "ForceOn"),
    Operation.OFF: ("GracefulShutdown",),
    Operation.HARD_OFF: ("ForceOff",),
    Operation.REBOOT: ("GracefulRestart",),
    Operation.RESET: ("ForceRestart", "PowerCycle"),
    Operation.NMI: ("Nmi",),
}
_TARGETS = {
    Operation.ON: PowerState.ON,
    Operation.OFF: PowerState.OFF,
    Operation.HARD_OFF: PowerState.OFF,
    Operation.REBOOT: PowerState.ON,
    Operation.RESET: PowerState.ON,
}
_OF_A_RUNNING_MACHINE = {Operation.REBOOT, Operation.NMI}

# Without a handler Python writes warnings to the terminal; who configures logging still sees them.
logging.getLogger("sushy").addHandler(logging.NullHandler())


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

    def checked(self, machine: str) -> Self:
        """Itself.

        Raises:
            UsageError: the URL would send a password in the clear, or a password is missing.
        """
        parts = urlsplit(self.url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _THIS_MACHINE):
            text = f"e2e_redfish_url of {machine} is {self.url!r}, and must begin with https://"
            raise UsageError(text, hint="e2e_redfish_ca names a certificate that is to be trusted")
        if parts.username or parts.password:
            text = f"e2e_redfish_url of {machine} holds a user or password"
            raise UsageError(text, hint="use e2e_redfish_username and e2e_redfish_password_file")
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


class Redfish:
    """One machine of one service, logged in. Every error of the SDK becomes a CloudError. Use it with `with`."""

    def __init__(self, access: Access, machine: str, deadline: Deadline) -> None:
        self._access = access
        self._machine = machine
        self._deadline = deadline
        self._sushy: Any = load("sushy", _EXTRA)
        self._requests: Any = load("requests", _EXTRA)
        self._password = access.password()
        self._auth: Any = None
        self._connector: Any = None
        self._system: Any = None

    def __enter__(self) -> Self:
        try:
            self._system = patiently(lambda: self._call(self._connected), self._deadline)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def state(self) -> tuple[PowerState, str]:
        """The power state and the service's word for it; UNKNOWN between two states."""

        def look() -> str:
            self._system.refresh(force=True)
            found = self._system.power_state
            return str(getattr(found, "value", found or "not told"))

        word = patiently(lambda: self._call(look), self._deadline)
        return _STATES.get(word, PowerState.UNKNOWN), word

    def ask(self, operation: Operation) -> str:
        """Ask for an operation by the first of its names that the machine offers. Returns that name.

        Raises:
            UnsupportedOperation: it offers none of them.
        """
        offered = {each.value for each in self._call(self._system.get_allowed_reset_system_values)}
        kind = next((kind for kind in _KINDS[operation] if kind in offered), "")
        if not kind:
            raise UnsupportedOperation(
                f"the Redfish service of {self._machine} offers no {' or '.join(_KINDS[operation])}, "
                f"which {operation.value} needs",
                hint=f"it offers {', '.join(sorted(offered))}",
            )
        patiently(
            lambda: self._call(lambda: self._system.reset_system(self._sushy.ResetType(kind))), self._deadline
        )
        return kind

    def _connected(self) -> Any:
        """A session where the service has sessions, else basic authentication; then the machine."""
        self._close()
        seconds = min(_ANSWER_SECONDS, self._deadline.remaining + 1)
        self._connector = self._sushy.connector.Connector(
            self._access.url,
            verify=self._access.ca or True,
            server_side_retries=1,
            default_request_timeout=seconds,
            connect_timeout=min(_CONNECT_SECONDS, seconds),
        )
        self._auth = self._sushy.auth.SessionOrBasicAuth(self._access.username, self._password)
        root = self._sushy.Sushy(self._access.url, auth=self._auth, connector=self._connector)
        return root.get_system(self._path(root.get_system_collection().members_identities))

    def _path(self, paths: tuple[str, ...]) -> str:
        wanted = self._access.system.rstrip("/")
        named = [
            path for path in paths if wanted in ("", path.rstrip("/"), path.rstrip("/").rpartition("/")[2])
        ]
        if len(named) == 1:
            return named[0]
        names = ", ".join(path.rstrip("/").rpartition("/")[2] for path in paths) or "none"
        what = f"no system {wanted!r}" if wanted else f"{len(paths)} systems"
        raise CloudError(
            f"{self._access.url} has {what}", Trouble.MISSING, hint=f"e2e_redfish_system is one of: {names}"
        )

    def _call(self, call: Callable[[], T]) -> T:
        """The answer of one call; what goes wrong is told without the password."""
        wrong = self._sushy.exceptions
        try:
            return call()
        except wrong.SushyError as error:
            unsafe = isinstance(error.__context__, self._requests.exceptions.SSLError)
            trouble = Trouble.OTHER if unsafe else _trouble(error, wrong)
            raise self._told(error, trouble, _HINTS.get(trouble, "") or _tls_hint(unsafe)) from None
        except (OSError, ValueError) as error:  # no JSON, no such file of certificates, no URL
            hint = "see e2e_redfish_url and e2e_redfish_ca"
            raise self._told(error, Trouble.OTHER, hint) from None

    def _told(self, error: Exception, trouble: Trouble, hint: str) -> CloudError:
        said = f"Redfish of {self._machine}: {error}"
        return CloudError(said.replace(self._password, "***") if self._password else said, trouble, hint=hint)

    def _close(self) -> None:
        """End the session: boards have few of them."""
        if self._auth is not None:
            with suppress(self._sushy.exceptions.SushyError):
                self._auth.close()
            self._auth = None
        if self._connector is not None:
            self._connector.close()
            self._connector = None


_HINTS = {
    Trouble.FORBIDDEN: "see e2e_redfish_username and its password; powering needs the privilege ConfigureComponents",
    Trouble.MISSING: "see e2e_redfish_url and e2e_redfish_system",
}


def operate(system: Redfish, machine: str, operation: Operation, deadline: Deadline) -> PowerResult:
    """Do one operation and wait until the service reports its state. Of a machine that is off, `reset` starts it.

    Raises:
        UnsupportedOperation: the service does not offer it.
        ProviderError: the service refused or failed, or the state was not reached.
    """
    before, word = system.state()
    target = _TARGETS.get(operation)
    if before is target and operation not in (Operation.REBOOT, Operation.RESET):
        return PowerResult(changed=False, before=before, after=before, detail=f"already {word}")
    if before is PowerState.OFF and operation in _OF_A_RUNNING_MACHINE:
        raise ProviderError(f"{operation.value} of {machine}: it is off", hint="operation on starts it")
    starts = before is PowerState.OFF and operation is Operation.RESET
    kind = system.ask(Operation.ON if starts else operation)
    last = word

    def reached() -> bool:
        nonlocal last
        state, last = system.state()
        return target is None or state is target

    if not deadline.wait_for(reached, interval=_LOOK_SECONDS):
        text = f"{operation.value} ({kind}) of {machine} was not done in time; Redfish says it is {last}"
        raise ProviderError(text, hint=_late_hint(operation))
    return PowerResult(
        changed=True, before=before, after=_STATES.get(last, PowerState.UNKNOWN), detail=f"{kind}: {last}"
    )


def _late_hint(operation: Operation) -> str:
    if operation is Operation.OFF:
        return "its system may not listen to the power button; hard_off does not ask it"
    return "a longer deadline_seconds, or a look at its console"


def _trouble(error: Any, wrong: Any) -> Trouble:
    """The kind of an error of the SDK."""
    if isinstance(error, wrong.ConnectionError):
        return Trouble.TRANSIENT
    status = getattr(error, "status_code", None)
    if status in (401, 403):
        return Trouble.FORBIDDEN
    if status == 404:
        return Trouble.MISSING
    if status == 409:
        return Trouble.CONFLICT
    return Trouble.TRANSIENT if status in (408, 429, 500, 502, 503, 504) else Trouble.OTHER


def _tls_hint(unsafe: bool) -> str:
    return (
        "its certificate is not trusted; e2e_redfish_ca names a file with the certificate of its issuer"
        if unsafe
        else ""
    )


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
