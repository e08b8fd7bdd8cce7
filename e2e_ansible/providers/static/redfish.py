"""Power of one machine by Redfish, the interface of server boards. The SDK `sushy` does the talking."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import UnsupportedOperation
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Operation
from e2e_ansible.providers.cloud.sdk import load
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble, patiently
from e2e_ansible.providers.static.access import Access

__all__ = ["Redfish"]

T = TypeVar("T")

_EXTRA = "static"
_ROOT = "/redfish/v1/"
_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 20
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

_HINTS = {
    Trouble.FORBIDDEN: "see e2e_redfish_username and its password; powering needs the privilege ConfigureComponents",
    Trouble.MISSING: "see e2e_redfish_url and e2e_redfish_system",
}

# Without a handler Python writes warnings to the terminal; who configures logging still sees them.
logging.getLogger("sushy").addHandler(logging.NullHandler())


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
