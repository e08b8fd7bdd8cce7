"""Load on a database that exists already: a real server of this test on the loopback, and no nodes at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from real_runs import Desk, write_suite
from role_nodes import REPOSITORY

from tests.unit.oracle.oracle_postgres import PASSWORD, Server

pytestmark = pytest.mark.nodes

VARIABLE = "E2E_TEST_DATABASE"
LOAD = {"step": "run_pgbench", "transactions": 20, "clients": 2}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with a password that must never be seen."""
    made = Server()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def url(server: Server) -> str:
    return f"postgresql://postgres:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/postgres"


def secret_in(folder: Path) -> list[str]:
    """Files with the password, as it is or as it stands in an address."""
    words = (PASSWORD.encode(), quote(PASSWORD, safe="").encode())
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(word in path.read_bytes() for word in words)]


def suite(desk: Desk, connection: dict[str, str]) -> None:
    parameters = {"database": "existing", "connection": connection}
    write_suite(desk.folder / "suite.json", load={"parameters": parameters, "workflow": [LOAD]})


def test_load_goes_to_a_database_that_nobody_installed(desk: Desk, server: Server, url: str) -> None:
    suite(desk, {"env": VARIABLE})
    desk.variables[VARIABLE] = url
    done = desk.call("run", "suite.json")
    (test,) = desk.result().tests
    assert done.code == 0, test.error
    (step,) = test.workflow_steps
    assert step.load is not None
    assert step.load.transactions == 40
    assert server.query("SELECT count(*) FROM pgbench_history") == [(40,)]
    assert secret_in(desk.folder) == []
    assert PASSWORD not in done.out + done.err
    assert not list(REPOSITORY.glob("*.pgpass"))


def test_a_connection_may_be_in_a_file_and_a_database_may_have_any_name(
    desk: Desk, server: Server, url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = "it's = \\ mine"
    server.query(f'CREATE DATABASE "{name}"')
    path = tmp_path_factory.mktemp("elsewhere") / "connection"
    path.write_text(f"{url.removesuffix('postgres')}{quote(name, safe='')}\n")
    suite(desk, {"file": str(path)})
    done = desk.call("run", "suite.json")
    assert done.code == 0, done.said
    assert secret_in(desk.folder) == []


def test_a_wrong_password_fails_and_is_not_told(desk: Desk, server: Server, url: str) -> None:
    suite(desk, {"env": VARIABLE})
    desk.variables[VARIABLE] = url.replace("postgres:", "postgres:wr0ng-s3cret-", 1)
    done = desk.call("run", "suite.json")
    (test,) = desk.result().tests
    assert done.code == 1
    assert "password authentication failed" in str(test.error)
    assert "wr0ng-s3cret" not in done.out + done.err
    assert [
        path for path in desk.folder.rglob("*") if path.is_file() and b"wr0ng-s3cret" in path.read_bytes()
    ] == []


def test_a_connection_that_is_not_there_is_told_before_anything_starts(desk: Desk) -> None:
    suite(desk, {"env": VARIABLE})
    done = desk.call("run", "suite.json")
    assert done.code == 4
    assert f"test load: connection: the variable {VARIABLE} is not set" in done.said
    desk.variables[VARIABLE] = f"mysql://{PASSWORD}"
    wrong = desk.call("run", "suite.json")
    suite(desk, {"file": "/no/such/file"})
    missing = desk.call("run", "suite.json")
    assert "the file /no/such/file cannot be read" in missing.said
    assert (wrong.code, missing.code) == (4, 4)
    assert PASSWORD not in wrong.out + wrong.err
    assert not desk.runs.exists()
