"""Fetches one file over HTTP, and keeps it only if it is the one that was meant."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import InfrastructureError

__all__ = ["download", "shown"]

_SILENCE_SECONDS = 60
_LARGEST = 1 << 30
_CHUNK = 1 << 20


def shown(url: str) -> str:
    """The address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def download(url: str, sha256: str, target: Path, *, seconds: float) -> None:
    """Write what is at `url` to `target` within `seconds`. Proxies are those of the environment.

    Raises:
        InfrastructureError: it cannot be had, or its SHA-256 is another one.
    """
    digest = hashlib.sha256()
    request = urllib.request.Request(url, headers={"User-Agent": "e2e-ansible"})
    try:
        with urllib.request.urlopen(request, timeout=_SILENCE_SECONDS) as answer, target.open("wb") as file:
            _copy(answer, file.write, digest.update, Deadline(seconds), shown(url))
    except urllib.error.HTTPError as error:
        raise InfrastructureError(f"{shown(url)} was not given: HTTP {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise InfrastructureError(
            f"{shown(url)} cannot be fetched: {reason or type(error).__name__}"
        ) from error
    if digest.hexdigest() != sha256:
        raise InfrastructureError(
            f"{shown(url)} has the SHA-256 {digest.hexdigest()}, and {sha256} was expected",
            hint="it is another file than the one that was pinned; nothing was installed",
        )


def _copy(
    answer: http.client.HTTPResponse,
    write: Callable[[bytes], object],
    note: Callable[[bytes], object],
    deadline: Deadline,
    title: str,
) -> None:
    size = 0
    while chunk := answer.read(_CHUNK):
        size += len(chunk)
        if size > _LARGEST or deadline.expired:
            limit = f"{_LARGEST >> 20} MiB" if size > _LARGEST else f"{deadline.seconds:g} s"
            raise InfrastructureError(f"{title} takes more than {limit}")
        write(chunk)
        note(chunk)
    length = answer.headers.get("Content-Length")
    if length and length.isdecimal() and int(length) != size:
        raise InfrastructureError(f"{title} ended after {size} of {length} bytes", hint="try again")
