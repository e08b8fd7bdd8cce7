"""A real server for each test that wants one, and the configuration of a writer against it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from oracle_postgres import PASSWORD, Server

from e2e_ansible.oracle.config import ClientConfig


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server. Without the server programs this fails: a skipped oracle proves nothing."""
    try:
        made = Server()
    except FileNotFoundError as error:
        pytest.fail(str(error))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def config(server: Server, tmp_path: Path) -> ClientConfig:
    """A fast writer against the server, with the password in a file."""
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    return ClientConfig(
        hosts=("127.0.0.1",),
        port=server.port,
        password_file=secret,
        history=tmp_path / "history.jsonl",
        rate=200,
        statement_timeout_seconds=1,
    )
