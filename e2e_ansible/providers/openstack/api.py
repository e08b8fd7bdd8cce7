"""The connection of the SDK `openstacksdk`: every error of it becomes a CloudError."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.openstack.trouble import CREDENTIAL_HINT, refused

__all__ = ["Api"]

_CALL_SECONDS = 60.0


class Api:
    """One project. The SDK is imported and the connection made when they are needed."""

    def __init__(self) -> None:
        self._made: Any = None
        self._found: dict[tuple[str, str], Any] = {}

    @property
    def compute(self) -> Any:
        """Nova; call it within `told`."""
        return self.connection.compute

    @property
    def connection(self) -> Any:
        """All services; call them within `told`."""
        if self._made is None:
            with self.told():
                openstack = sdk.load("openstack", "openstack")
                self._made = openstack.connect(
                    cloud=_cloud_name(), app_name="e2e-ansible", api_timeout=_CALL_SECONDS
                )
        return self._made

    def one(self, service: str, kind: str, name: str) -> Any:
        """A flavor, image or network by name or id. What was found once is not looked for again."""
        key = kind, name
        if key not in self._found:
            proxy = getattr(self.connection, service)
            missing = sdk.load("openstack.exceptions", "openstack").NotFoundException
            try:
                with self.told():
                    self._found[key] = getattr(proxy, f"find_{kind}")(name, ignore_missing=False)
            except CloudError as error:
                if not isinstance(error.__cause__, missing):
                    raise
                with self.told():
                    known = sorted(str(each.name) for each in getattr(proxy, f"{kind}s")())
                text = f"openstack: the project sees no {kind} {name!r}"
                raise CloudError(
                    text, Trouble.MISSING, hint=f"it has {', '.join(known) or 'none'}"
                ) from error
        return self._found[key]

    @contextmanager
    def told(self) -> Iterator[None]:
        """Every error of the SDK becomes a CloudError."""
        of_sdk = sdk.load("openstack.exceptions", "openstack")
        of_login = sdk.load("keystoneauth1.exceptions", "openstack")
        try:
            yield
        except (of_login.RetriableConnectionFailure, of_login.DiscoveryFailure) as error:
            raise CloudError(f"openstack: no answer: {error}", Trouble.TRANSIENT) from error
        except of_login.HttpError as error:
            raise refused(error, error.http_status) from error
        except of_sdk.HttpException as error:
            raise refused(error, error.status_code) from error
        except (of_login.ClientException, of_sdk.ConfigException) as error:
            raise CloudError(f"openstack: {error}", Trouble.FORBIDDEN, hint=CREDENTIAL_HINT) from error
        except of_sdk.SDKException as error:
            raise CloudError(f"openstack: {error}", Trouble.OTHER) from error


def _cloud_name() -> str | None:
    """The cloud of clouds.yaml that is meant; None where the environment says all of it.

    Raises:
        CloudError: there is none, or several and none is chosen.
    """
    if os.environ.get("OS_CLOUD") or os.environ.get("OS_AUTH_URL"):
        return os.environ.get("OS_CLOUD") or None
    config = sdk.load("openstack.config", "openstack").OpenStackConfig()
    names = sorted(set(config.get_cloud_names()) - {"defaults", "envvars"})
    if len(names) == 1:
        return str(names[0])
    which = f"one of {', '.join(names)}" if names else "a cloud of clouds.yaml"
    hint = CREDENTIAL_HINT.replace("a cloud of clouds.yaml", which)
    raise CloudError("openstack: nothing says which cloud is meant", Trouble.FORBIDDEN, hint=hint)
