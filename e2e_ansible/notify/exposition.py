"""Hands the figures to Prometheus: as a file for node_exporter's textfile collector, or to a Pushgateway."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from prometheus_client import push_to_gateway, write_to_textfile
from prometheus_client.exposition import basic_auth_handler, default_handler

from e2e_ansible.errors import UsageError
from e2e_ansible.notify.figures import Figures
from e2e_ansible.notify.undelivered import Undelivered

__all__ = ["push", "textfile", "write"]

_JOB = "e2e_ansible"
_SUFFIX = ".prom"


def textfile(path: Path) -> Path:
    """See that the file can be written, and would be read.

    Raises:
        UsageError: its folder is not there, or the collector would not look at it.
    """
    if path.suffix != _SUFFIX:
        hint = f"call it {path.with_suffix(_SUFFIX)}"
        raise UsageError(f"node_exporter reads files that end in {_SUFFIX}, not {path}", hint=hint)
    if not path.parent.is_dir() or path.is_dir():
        raise UsageError(f"{path} cannot be written", hint=f"make the folder {path.parent}")
    return path.resolve()


def write(path: Path, figures: Figures) -> None:
    """Replace the file as a whole.

    Raises:
        Undelivered: it could not be written; the old one is still there.
    """
    try:
        write_to_textfile(str(path), figures.registry)
    except OSError as error:
        raise Undelivered(error.strerror or str(error)) from error


def push(url: str, figures: Figures, seconds: float) -> None:
    """Replace what the gateway has of this suite.

    Raises:
        Undelivered: it did not take them.
    """
    parts = urlsplit(url)
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def handler(
        url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes
    ) -> Callable[[], None]:
        if not parts.username:
            return default_handler(url, method, timeout, headers, data)
        user, password = unquote(parts.username), unquote(parts.password or "")
        return basic_auth_handler(url, method, timeout, headers, data, user, password)

    key = {"suite": figures.suite}
    limit = max(0.1, seconds)
    try:
        push_to_gateway(plain, _JOB, figures.registry, grouping_key=key, timeout=limit, handler=handler)
    except TimeoutError as error:
        raise Undelivered(f"no answer within {seconds:.0f} s") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        status = f"{error.code} " if hasattr(error, "code") else ""
        refused = isinstance(reason, ConnectionError)
        text = getattr(reason, "strerror", None) or str(reason)
        raise Undelivered(f"{status}{text}", again=refused) from error
