"""The client of the SDK `hcloud`: every error of it becomes a CloudError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from e2e_ansible.errors import E2EError
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.endpoint import endpoint
from e2e_ansible.providers.cloud.machine import Machine
from e2e_ansible.providers.cloud.token import token
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.hetzner.trouble import TOKEN_HINT, failed, refused

__all__ = ["TOKEN", "Api"]

TOKEN = "HCLOUD_TOKEN"
"""The variable of the environment that holds the credential."""

_ENDPOINT = "HCLOUD_ENDPOINT"
_API = "https://api.hetzner.cloud/v1"
_CALL_SECONDS = (10.0, 60.0)  # to connect, to answer


class Api:
    """One project. The SDK is imported and the client made when they are needed."""

    def __init__(self) -> None:
        self._made: Any = None

    @property
    def client(self) -> Any:
        """The client of the SDK; call it within `told`."""
        if self._made is None:
            made = sdk.load("hcloud", "hetzner").Client(
                token=token("hetzner", (TOKEN,), TOKEN_HINT),
                api_endpoint=endpoint(_ENDPOINT, _API),
                application_name="e2e-ansible",
                timeout=_CALL_SECONDS,
            )
            made._client._retry_max_retries = 0  # the SDK has no public name for it
            self._made = made
        return self._made

    def server(self, machine: Machine) -> Any:
        """A machine as the SDK names it."""
        return sdk.load("hcloud.servers", "hetzner").Server(id=int(machine.id))

    def found(self, kind: Literal["network", "firewall"], name: str) -> Any:
        """A network or firewall of the project. An id is taken as it is."""
        if name.isdigit():
            return getattr(sdk.load(f"hcloud.{kind}s", "hetzner"), kind.capitalize())(id=int(name))
        found = getattr(self.client, f"{kind}s").get_by_name(name)
        if found is None:
            raise CloudError(f"hetzner: the project has no {kind} {name!r}", Trouble.MISSING)
        return found

    def ended(self, action: Any) -> bool:
        """Whether an action has ended. Raises CloudError if it failed."""
        with self.told():
            action.reload()
        if action.status == "error":
            raise failed(action)
        return bool(action.status == "success")

    @contextmanager
    def told(self) -> Iterator[None]:
        """Every error of the SDK becomes a CloudError."""
        api_error = sdk.load("hcloud", "hetzner").APIException
        broken = sdk.load("requests", "hetzner").RequestException
        try:
            yield
        except E2EError:  # some are ValueErrors as well
            raise
        except api_error as error:
            raise refused(error) from error
        except broken as error:
            raise CloudError(f"hetzner: no answer: {type(error).__name__}", Trouble.TRANSIENT) from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            text = f"hetzner: an answer that is not the API's: {type(error).__name__}: {error}"
            raise CloudError(text, Trouble.OTHER, hint=f"is {_ENDPOINT} right?") from error
