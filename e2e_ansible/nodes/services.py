"""What one look found of the services beside the cluster, on which nodes they are, and a write through the proxy."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

__all__ = ["Backup", "Exporter", "Proxy", "Services", "proxy_nodes", "repository_node", "services", "write"]

_WRITE_SECONDS = 5.0
_WRITE = "select coalesce(host(inet_server_addr()), ''), pg_logical_emit_message(true, 'e2e', 'proxy')::text"

Labels = Mapping[str, Sequence[str]]


def _labelled(labels: Labels, label: str) -> tuple[str, ...]:
    return tuple(name for name, found in labels.items() if label in found)


def proxy_nodes(labels: Labels) -> tuple[str, ...]:
    """Where the proxy is: on the nodes that only drive load, else on every database node."""
    return _labelled(labels, "client") or _labelled(labels, "database")


def repository_node(labels: Labels) -> str:
    """Where the backups are: on the first node that only drives load, else on the last database node."""
    return (*_labelled(labels, "client")[:1], *_labelled(labels, "database")[-1:])[0]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Backup(_Record):
    """pgBackRest on one node. Ages are seconds by the node's own clock; None is what is not known.

    `status` is that of `pgbackrest info`, 0 when all is well, with its words in `said`; it is None when there was
    no answer, and `error` says why. `size_bytes` is what the newest backup comes to when it is restored. `timer` and
    `last_run` are what systemd says of the unit that makes backups, empty on a node without it. The archiver is known
    where PostgreSQL answers; `failing`: its last try went wrong.
    """

    repository: bool = False
    status: int | None = None
    said: str = ""
    backups: int = 0
    newest: str = ""
    newest_failed: bool = False
    age_seconds: float | None = None
    size_bytes: int | None = None
    timer: str = ""
    last_run: str = ""
    archiving: bool | None = None
    failing: bool | None = None
    waiting: int | None = None
    failed_wal: str = ""
    error: str = ""


class Exporter(_Record):
    """One GET of the metrics on the node itself; `up` is what they say about PostgreSQL. `status` 0: no answer."""

    port: int
    status: int = 0
    up: bool | None = None
    error: str = ""


class Proxy(_Record):
    """HAProxy on one node: the servers it calls up, and a write through it from the controller.

    `written` is the result of a real committed transaction, None when none could be tried; `by` is the address of
    the server that committed.
    """

    port: int
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    error: str = ""
    written: bool | None = None
    by: str = ""
    write_error: str = ""


class Services(_Record):
    """The services of one node; None is one that was never set up there. `error`: they could not be looked at."""

    backup: Backup | None = None
    exporter: Exporter | None = None
    proxy: Proxy | None = None
    error: str = ""


def services(facts: Any, address: str, variables: Mapping[str, Any]) -> Services | None:
    """What the probe said, with a write through the proxy if there is one; None when it was not asked."""
    if facts is None:
        return None
    try:
        found = Services.model_validate(facts)
    except ValidationError as error:
        return Services(error=f"the probe's answer is not understood: {error}")
    if found.proxy is None:
        return found
    return found.model_copy(
        update={"proxy": found.proxy.model_copy(update=write(address, found.proxy.port, variables))}
    )


def write(address: str, port: int, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Commit one logical message through the proxy as the client of the test; fields of `Proxy`. Never raises."""
    file = variables.get("e2e_client_password_file")
    if not file:
        return {"written": None, "write_error": "no e2e_client_password_file for this host"}
    try:
        password = Path(str(file)).read_text(encoding="utf-8").splitlines()[0]
    except (OSError, UnicodeDecodeError, IndexError) as error:
        return {"written": None, "write_error": f"the password of the client cannot be read: {error}"}
    try:
        return {"written": True, "by": _commit(address, port, password)}
    except Exception as error:  # whatever a connection runs into is an answer here
        said = " ".join(str(error).replace(password, "***").split())
        return {"written": False, "write_error": said or type(error).__name__}


def _commit(address: str, port: int, password: str) -> str:
    """The address of the server that committed in time.

    Raises:
        TimeoutError: no answer; a wait for a standby is not ended by statement_timeout, so it is cancelled from here.
        psycopg.Error: it went wrong.
    """
    import psycopg

    late = threading.Event()
    with psycopg.connect(
        host=address,
        port=port,
        user="e2e",
        dbname="postgres",
        password=password,
        connect_timeout=3,
        application_name="e2e-proxy",
        autocommit=True,
    ) as connection:

        def cancel() -> None:
            late.set()
            connection.cancel()

        timer = threading.Timer(_WRITE_SECONDS, cancel)
        timer.start()
        try:
            row = connection.execute(_WRITE).fetchone()
        except psycopg.Error:
            if late.is_set():
                raise TimeoutError(f"no commit within {_WRITE_SECONDS:g} s") from None
            raise
        finally:
            timer.cancel()
    if late.is_set() or row is None:
        raise TimeoutError(f"no commit within {_WRITE_SECONDS:g} s")
    return str(row[0])
