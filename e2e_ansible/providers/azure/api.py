"""Clients of the SDKs `azure-mgmt-*`: each call is made once, and every error of them becomes a CloudError."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2e_ansible.providers.azure.trouble import CREDENTIAL_HINT, GROUP, refused
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.endpoint import endpoint
from e2e_ansible.providers.cloud.environment import first_set
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble, passing

__all__ = ["MODULES", "Api", "authentication", "given_group", "split"]

_ENDPOINT = "E2E_AZURE_ENDPOINT"
_API = "https://management.azure.com"
_TOKEN = "AZURE_ACCESS_TOKEN"
# The first of each is the SDK's own name; the others are what AWX, Ansible and Terraform set.
_SUBSCRIPTION = ("AZURE_SUBSCRIPTION_ID", "ARM_SUBSCRIPTION_ID")
_TENANT = ("AZURE_TENANT_ID", "AZURE_TENANT")
_SECRET = ("AZURE_CLIENT_SECRET", "AZURE_SECRET")
_CLIENT = ("AZURE_CLIENT_ID",)
_CONNECT_SECONDS = 10
_CALL_SECONDS = 60
_CLIENTS = {
    "compute": ("azure.mgmt.compute", "ComputeManagementClient"),
    "network": ("azure.mgmt.network", "NetworkManagementClient"),
    "resource": ("azure.mgmt.resource.resources", "ResourceManagementClient"),
}

MODULES = (*(module for module, _ in _CLIENTS.values()), "azure.identity")
"""All that is needed of the SDK."""


class Api:
    """One subscription. A client of the SDK is imported and made when it is needed."""

    def __init__(self, look: float) -> None:
        self._look = look
        self._clients: dict[str, Any] = {}

    @property
    def subscription(self) -> str:
        """The one that the environment names.

        Raises:
            CloudError: it names none.
        """
        found = first_set(_SUBSCRIPTION)
        if not found:
            text = f"azure: {_SUBSCRIPTION[0]} is not set"
            raise CloudError(text, Trouble.FORBIDDEN, hint=CREDENTIAL_HINT)
        return found

    def call(self, client: str, operations: str, method: str, /, *given: object, **options: object) -> Any:
        """One call of a client of the SDK, such as `list` of `virtual_machines` of `compute`."""
        with self._told():
            return getattr(getattr(self._client(client), operations), method)(*given, **options)

    def every(
        self, client: str, operations: str, method: str, /, *given: object, **options: object
    ) -> list[Any]:
        """All pages of a list, as the API spells them."""
        with self._told():
            return [each.as_dict() for each in self.call(client, operations, method, *given, **options)]

    def listed(self, client: str, operations: str, in_group: str, everywhere: str) -> list[dict[str, Any]]:
        """All of a kind: of the group that is given, else of the subscription."""
        given = given_group()
        if not given:
            return self.every(client, operations, everywhere)
        try:
            return self.every(client, operations, in_group, given)
        except CloudError as error:
            if error.trouble is Trouble.MISSING:
                text = f"{error}; {GROUP} is {given!r}"
                raise CloudError(text, Trouble.MISSING, hint=f"az group create --name {given}") from error
            raise

    def remove(self, client: str, operations: str, path: str) -> None:
        """Ask for the end of something; that it is gone already is no error."""
        with passing(Trouble.MISSING):
            self.call(client, operations, "begin_delete", *split(path), polling=False)

    def ended(self, poller: Any) -> bool:
        """Whether an operation has ended, or its end cannot be told: then the state of the machine counts."""
        if not poller.done():
            return False
        with passing(Trouble.TRANSIENT), self._told():
            poller.result()
        return True

    def wait(self, poller: Any, what: str) -> None:
        """Wait for an operation.

        Raises:
            CloudError: it failed, or took too long.
        """
        with self._told():
            poller.wait(_CALL_SECONDS)
            if not poller.done():
                text = f"azure: {what} was not made after {_CALL_SECONDS} s"
                raise CloudError(text, Trouble.TRANSIENT)
            poller.result()

    def _client(self, kind: str) -> Any:
        if kind not in self._clients:
            module, name = _CLIENTS[kind]
            self._clients[kind] = getattr(sdk.load(module, "azure"), name)(
                subscription_id=self.subscription,
                base_url=endpoint(_ENDPOINT, _API),
                retry_total=0,
                polling_interval=self._look,
                connection_timeout=_CONNECT_SECONDS,
                read_timeout=_CALL_SECONDS,
                **authentication(),
            )
        return self._clients[kind]

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Every error of the SDK becomes a CloudError."""
        errors = sdk.load("azure.core.exceptions", "azure")
        try:
            yield
        except (errors.ServiceRequestError, errors.ServiceResponseError) as error:
            raise CloudError(f"azure: no answer: {type(error).__name__}", Trouble.TRANSIENT) from error
        except errors.HttpResponseError as error:
            raise refused(error) from error
        except errors.AzureError as error:
            raise CloudError(f"azure: {error}", Trouble.OTHER) from error


def authentication() -> dict[str, Any]:
    """A token that is given, none over http to this machine, where no secret belongs; else the SDK's credentials.

    The SDK's own policy sends no token over http, and asks a provider of identities that is not on this machine.
    """
    token = os.environ.get(_TOKEN, "").strip()
    if token or endpoint(_ENDPOINT, _API).startswith("http://"):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        policy = sdk.load("azure.core.pipeline.policies", "azure").HeadersPolicy(headers)
        return {"credential": policy, "authentication_policy": policy}
    identity = sdk.load("azure.identity", "azure")
    tenant, client, secret = (first_set(names) for names in (_TENANT, _CLIENT, _SECRET))
    if tenant and client and secret:
        return {"credential": identity.ClientSecretCredential(tenant, client, secret)}
    return {"credential": identity.DefaultAzureCredential()}


def given_group() -> str:
    """The resource group that everything is to be in, '' where each deployment has one of its own."""
    return os.environ.get(GROUP, "")


def split(path: str) -> tuple[str, str]:
    """Group and name in the path of a thing."""
    words = path.strip("/").split("/")
    return words[3], words[-1]
