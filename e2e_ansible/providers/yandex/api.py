"""The SDK `yandexcloud`: each call is made once, and every error of gRPC becomes a CloudError."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.yandex.trouble import CREDENTIAL_HINT, KEY_FILE, TOKEN, failed, refused

__all__ = ["Api", "folder"]

_FOLDER = "YC_FOLDER_ID"
_ENDPOINT = "YC_ENDPOINT"
_ROOTS = "YC_ROOT_CERTIFICATES"
_CALL_SECONDS = 60.0
_PAGE = 1000
#: Calls whose requests are not named by call and service alone.
_REQUESTS = {
    "GetLatestByFamily": "GetImageLatestByFamilyRequest",
}


class Api:
    """One credential. The SDK is imported and made when it is needed."""

    def __init__(self) -> None:
        self._made: Any = None

    def call(self, service: str, kind: str, method: str, **request: Any) -> Any:
        """One call, such as `Get` of the service `Folder`; the fields of its request by name."""
        module = f"yandex.cloud.{service}.v1.{_snake(kind)}_service_pb2"
        stub = getattr(sdk.load(f"{module}_grpc", "yandex"), f"{kind}ServiceStub")
        message = getattr(sdk.load(module, "yandex"), _request_name(kind, method))
        with self._told():
            return getattr(self._client(stub), method)(message(**request), timeout=_CALL_SECONDS)

    def pages(self, service: str, kind: str, field: str, **request: Any) -> Iterator[Any]:
        """All of a list, page by page."""
        token = ""
        while True:
            page = self.call(service, kind, "List", page_size=_PAGE, page_token=token, **request)
            yield from getattr(page, field)
            token = page.next_page_token
            if not token:
                return

    def ended(self, operation: str) -> bool:
        """Whether an operation has ended. Raises CloudError if it failed."""
        now = self._operation(operation)
        if now.done and now.error.code:
            raise failed(now.error)
        return bool(now.done)

    def _operation(self, operation: str) -> Any:
        pb2 = sdk.load("yandex.cloud.operation.operation_service_pb2", "yandex")
        grpc = sdk.load("yandex.cloud.operation.operation_service_pb2_grpc", "yandex")
        with self._told():
            return self._client(grpc.OperationServiceStub).Get(
                pb2.GetOperationRequest(operation_id=operation), timeout=_CALL_SECONDS
            )

    @property
    def _sdk(self) -> Any:
        if self._made is None:
            roots = os.environ.get(_ROOTS, "")
            try:
                self._made = sdk.load("yandexcloud", "yandex").SDK(
                    user_agent="e2e-ansible",
                    endpoint=os.environ.get(_ENDPOINT) or None,
                    root_certificates=Path(roots).read_bytes() if roots else None,
                    **_login(),
                )
            except (OSError, ValueError, RuntimeError) as error:
                text = f"yandex: the credentials cannot be used: {error}"
                raise CloudError(text, Trouble.FORBIDDEN, hint=CREDENTIAL_HINT) from error
        return self._made

    def _client(self, stub: Any) -> Any:
        """A client of one service; not each endpoint has all of them."""
        made = self._sdk
        try:
            return made.client(stub)
        except (KeyError, RuntimeError) as error:
            text = f"yandex: the API has no service {stub.__name__}: {error}"
            raise CloudError(text, Trouble.MISSING) from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Every error of gRPC becomes a CloudError."""
        broken = sdk.load("grpc", "yandex").RpcError
        try:
            yield
        except broken as error:
            raise refused(error.code().name, str(error.details())) from error


def folder() -> str:
    """The folder that the environment names.

    Raises:
        CloudError: it names none.
    """
    named = os.environ.get(_FOLDER, "").strip()
    if not named:
        raise CloudError(
            f"yandex: {_FOLDER} is not set",
            Trouble.FORBIDDEN,
            hint=f"set {_FOLDER} to the id of the folder (yc resource-manager folder list)",
        )
    return named


def _login() -> dict[str, Any]:
    """The arguments of the SDK. A token of IAM begins with `t1.`, all others are exchanged for one.

    Raises:
        CloudError: there is no credential.
        OSError, ValueError: the key file is not readable, or not one.
    """
    token, file = os.environ.get(TOKEN, "").strip(), os.environ.get(KEY_FILE, "").strip()
    if token:
        return {"iam_token" if token.startswith("t1.") else "token": token}
    if file:
        return {"service_account_key": json.loads(Path(file).expanduser().read_text(encoding="utf-8"))}
    text = f"yandex: neither {KEY_FILE} nor {TOKEN} is set"
    raise CloudError(text, Trouble.FORBIDDEN, hint=CREDENTIAL_HINT)


def _snake(kind: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


def _request_name(kind: str, method: str) -> str:
    return _REQUESTS.get(method) or f"{method}{kind}{'s' * (method == 'List')}Request"
