"""A token of an API from the environment."""

from __future__ import annotations

import os

from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["token"]


def token(provider: str, variables: tuple[str, ...], hint: str) -> str:
    """The first of the variables that is set, without white space around it.

    Raises:
        CloudError: none is set, or what it holds cannot be a token; the error does not show it.
    """
    for name in variables:
        value = os.environ.get(name, "").strip()
        if value and not (value.isascii() and value.isprintable() and " " not in value):
            text = f"{provider}: {name} holds no token, but characters that no token has"
            raise CloudError(text, Trouble.FORBIDDEN, hint=hint)
        if value:
            return value
    raise CloudError(f"{provider}: {' and '.join(variables)} not set", Trouble.FORBIDDEN, hint=hint)
