"""Another address of an API than the provider's own: a private proxy, or a test."""

from __future__ import annotations

import ipaddress
import os
import re
from urllib.parse import SplitResult, urlsplit

from e2e_ansible.errors import UsageError

__all__ = ["endpoint"]


def endpoint(variable: str, default: str) -> str:
    """The address in an environment variable, without a slash at its end, or the default.

    Raises:
        UsageError: it is no address, or the credential would go over a network in clear.
    """
    url = os.environ.get(variable, "").rstrip("/") or default
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"{variable} is {_shown(url)!r}, which is no address of an API",
            hint=f"such as {default}, or leave it unset",
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise UsageError(
            f"{variable} is {_shown(url)!r}: http would send the credential in clear",
            hint="use https; http is for 127.0.0.1",
        )
    return url


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # half an address of IPv6
        return urlsplit("")


def _shown(url: str) -> str:
    """Without a user and a password that somebody has put into it."""
    return re.sub(r"(?<=//).*@|^[^/]*@", "***@", url)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
