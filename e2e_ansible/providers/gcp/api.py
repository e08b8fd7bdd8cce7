"""Clients of the SDK `google-cloud-compute`: each call is made once, and every error of it becomes a CloudError."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.endpoint import endpoint
from e2e_ansible.providers.cloud.environment import first_set
from e2e_ansible.providers.cloud.lazy import load_part
from e2e_ansible.providers.cloud.machine import DEPLOYMENT_TAG
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.gcp.trouble import CREDENTIAL_HINT, failed, refused

__all__ = ["Api"]

_ENDPOINT = "E2E_GCP_ENDPOINT"
_API = "https://compute.googleapis.com"
_TOKEN = "GOOGLE_OAUTH_ACCESS_TOKEN"
_SCOPES = ("https://www.googleapis.com/auth/compute",)
# The first is Google's own name; the others are what AWX, Ansible and gcloud set.
_PROJECT = ("GOOGLE_CLOUD_PROJECT", "GCP_PROJECT", "GCE_PROJECT", "CLOUDSDK_CORE_PROJECT")
_PROJECT_HINT = f"set {_PROJECT[0]} to the id of the project"
_CALL_SECONDS = 60.0
#: The modules of the SDK's clients.
_SERVICES = {
    "Disks": "disks",
    "Instances": "instances",
    "MachineTypes": "machine_types",
    "Projects": "projects",
    "Regions": "regions",
    "ZoneOperations": "zone_operations",
}


class Api:
    """One project. A client of the SDK is imported and made when it is needed."""

    def __init__(self) -> None:
        self._clients: dict[str, Any] = {}
        self._known: tuple[Any, str] | None = None

    def call(self, kind: str, method: str, **request: Any) -> Any:
        """One call of a client of the SDK, such as `get` of `ZoneOperationsClient`."""
        with self._told():
            client = self._client(kind)
            request["project"] = self._account[1]
            return getattr(client, method)(request=request, retry=None, timeout=_CALL_SECONDS)

    def listed(self, kind: str, deployment: str) -> list[Any]:
        """All instances or disks with our label, in all zones.

        Raises:
            CloudError: as for every call; or a zone did not answer, so there may be more.
        """
        wanted = f"labels.{DEPLOYMENT_TAG}={deployment}" if deployment else f"labels.{DEPLOYMENT_TAG}:*"
        found: list[Any] = []
        with self._told():
            for page in self.call(kind, "aggregated_list", filter=wanted).pages:
                if page.unreachables:
                    silent = ", ".join(place.rpartition("/")[2] for place in page.unreachables)
                    raise CloudError(f"gcp: no answer from {silent}", Trouble.TRANSIENT)
                for scope in page.items.values():
                    found += getattr(scope, kind.lower())
        return found

    def ended(self, operation: Any, zone: str) -> bool:
        """Whether an operation has ended. Raises CloudError if it failed."""
        now = self.call("ZoneOperations", "get", zone=zone, operation=operation.name)
        if now.status.name != "DONE":
            return False
        if now.error.errors or now.http_error_status_code:
            raise failed(now)
        return True

    def _client(self, kind: str) -> Any:
        if kind not in self._clients:
            module = load_part("google.cloud.compute_v1", f"services.{_SERVICES[kind]}", "gcp")
            make = getattr(module, f"{kind}Client")
            self._clients[kind] = make(
                credentials=self._account[0],
                transport="rest",
                client_options={"api_endpoint": endpoint(_ENDPOINT, _API)},
            )
        return self._clients[kind]

    @property
    def _account(self) -> tuple[Any, str]:
        """Credentials and project."""
        if self._known is None:
            credentials, project = _credentials()
            project = first_set(_PROJECT) or project
            if not project:
                raise CloudError(
                    "gcp: nothing says which project is meant", Trouble.FORBIDDEN, hint=_PROJECT_HINT
                )
            self._known = credentials, project
        return self._known

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Every error of the SDK becomes a CloudError."""
        api_error = sdk.load("google.api_core.exceptions", "gcp").GoogleAPICallError
        unknown = sdk.load("google.auth.exceptions", "gcp")
        broken = sdk.load("requests", "gcp").RequestException
        try:
            yield
        except api_error as error:
            raise refused(error) from error
        except (unknown.TransportError, broken) as error:
            raise CloudError(f"gcp: no answer: {type(error).__name__}", Trouble.TRANSIENT) from error
        except unknown.GoogleAuthError as error:
            # The SDK answers a refused token by asking for a new one, and complains that it cannot.
            text = f"the token in {_TOKEN} is refused, or has expired" if os.environ.get(_TOKEN) else error
            raise CloudError(f"gcp: {text}", Trouble.FORBIDDEN, hint=CREDENTIAL_HINT) from error


def _credentials() -> tuple[Any, str]:
    """A token that is given; none over http to this machine, where no secret belongs; else Google's own search."""
    token = os.environ.get(_TOKEN, "").strip()
    if token:
        return sdk.load("google.oauth2.credentials", "gcp").Credentials(token), ""
    if endpoint(_ENDPOINT, _API).startswith("http://"):
        return sdk.load("google.auth.credentials", "gcp").AnonymousCredentials(), ""
    credentials, project = sdk.load("google.auth", "gcp").default(scopes=_SCOPES)
    return credentials, project or ""
