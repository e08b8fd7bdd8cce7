"""The client of the SDK `pydo`: every error of it becomes a CloudError."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from e2e_ansible.errors import E2EError
from e2e_ansible.providers.cloud import sdk
from e2e_ansible.providers.cloud.endpoint import endpoint
from e2e_ansible.providers.cloud.machine import Machine
from e2e_ansible.providers.cloud.token import token
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.digitalocean.trouble import TOKEN_HINT, refused

__all__ = ["TOKENS", "Api"]

TOKENS = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN")
"""The variables of the environment that hold the credential; the first that is set counts."""

_ENDPOINT = "DIGITALOCEAN_ENDPOINT"
_API = "https://api.digitalocean.com"
_CONNECT_SECONDS = 10
_ANSWER_SECONDS = 60
_PER_PAGE = 200


class Api:
    """One account. The SDK is imported and the client made when they are needed."""

    def __init__(self) -> None:
        self._made: Any = None

    @property
    def client(self) -> Any:
        """The client of the SDK; call it within `told`."""
        if self._made is None:
            value = token("digitalocean", TOKENS, TOKEN_HINT)
            policies = sdk.load("azure.core.pipeline.policies", "digitalocean")
            key = sdk.load("azure.core.credentials", "digitalocean").AzureKeyCredential(value)
            self._made = sdk.load("pydo", "digitalocean").Client(
                token=value,
                endpoint=endpoint(_ENDPOINT, _API),
                # The SDK's own policy refuses http, and `endpoint` has seen to it already.
                authentication_policy=policies.AzureKeyCredentialPolicy(
                    key, "Authorization", prefix="Bearer"
                ),
                # Only `creation` knows which call may be repeated.
                retry_policy=policies.RetryPolicy.no_retries(),
                connection_timeout=_CONNECT_SECONDS,
                read_timeout=_ANSWER_SECONDS,
            )
        return self._made

    def every(self, kind: str, **chosen: str) -> list[Any]:
        """All pages of a list, such as `droplets` or `tags`."""
        items: list[Any] = []
        page = 1
        while True:
            with self.told():
                answer = getattr(self.client, kind).list(**chosen, per_page=_PER_PAGE, page=page)
                items += answer[kind]
                if not answer[kind] or len(items) >= answer["meta"]["total"]:
                    return items
            page += 1

    def ask(self, machine: Machine, kind: str) -> int:
        """Ask for an action of a Droplet; the id of the action."""
        with self.told():
            answer = self.client.droplet_actions.post(int(machine.id), body={"type": kind})
            return int(_content(answer, "action", f"Droplet {machine.machine}")["id"])

    def ended(self, machine: Machine, action: int) -> bool:
        """Whether an action has ended. Raises CloudError if it failed."""
        with self.told():
            answer = self.client.droplet_actions.get(int(machine.id), action)
            now = _content(answer, "action", f"action {action}")
            if now["status"] == "errored":
                raise CloudError(f"digitalocean: {now['type']} of Droplet {machine.id} failed", Trouble.OTHER)
            return bool(now["status"] == "completed")

    @contextmanager
    def told(self) -> Iterator[None]:
        """Every error of the SDK becomes a CloudError."""
        errors = sdk.load("azure.core.exceptions", "digitalocean")
        try:
            yield
        except E2EError:  # some are ValueErrors as well
            raise
        except errors.HttpResponseError as error:
            raise refused(error) from error
        except errors.AzureError as error:
            text = f"digitalocean: no answer: {type(error).__name__}"
            raise CloudError(text, Trouble.TRANSIENT) from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            text = f"digitalocean: an answer that is not the API's: {type(error).__name__}: {error}"
            raise CloudError(text, Trouble.OTHER, hint=f"is {_ENDPOINT} right?") from error


def _content(answer: Mapping[str, Any], key: str, of: str) -> Mapping[str, Any]:
    """The SDK returns an answer of status 404 like any other."""
    if key not in answer:
        raise CloudError(f"digitalocean: {of} is gone: {answer.get('message')}", Trouble.MISSING)
    content: Mapping[str, Any] = answer[key]
    return content
