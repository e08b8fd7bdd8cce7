"""The clients of a test as far as they need no server; what they do is shown on real nodes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from run_replay import ON, plan_of

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import HarnessError, UsageError
from e2e_ansible.oracle.history import Event
from e2e_ansible.providers.base import Node
from e2e_ansible.run.clients import Clients
from e2e_ansible.run.node_client import ssh_command
from e2e_ansible.steps.client_plan import ClientPlan


@pytest.fixture
def clients(tmp_path: Path) -> Clients:
    return Clients(plan_of("survives"), tmp_path)


def test_without_a_client_no_row_is_known(clients: Clients) -> None:
    for _ in range(2):
        with clients.still() as rows:
            assert rows is None
        assert clients.look() == {}
        clients.stop()


@pytest.mark.parametrize(
    ("labels", "variables"),
    [
        (("database",), {"ansible_host": "192.0.2.11"}),
        (("client",), {"ansible_host": "192.0.2.11", "e2e_client_password_file": "/secret"}),
    ],
    ids=["no password", "no database"],
)
def test_without_a_password_nothing_is_started(
    clients: Clients, tmp_path: Path, labels: tuple[str, ...], variables: dict[str, object]
) -> None:
    node = Node(name="n11", labels=labels, power=ON, variables=variables)
    with pytest.raises(HarnessError, match="names no password file, so data_integrity cannot be shown"):
        clients.start([node])
    assert list(tmp_path.iterdir()) == []


def test_a_client_that_nobody_started_is_not_stopped(clients: Clients) -> None:
    with pytest.raises(HarnessError, match="there is no client load to stop"):
        clients.act(ClientPlan(act="stop", name="load"), [])


def test_a_client_lives_on_a_node_that_is_there(clients: Clients) -> None:
    with pytest.raises(HarnessError, match="cannot live on n99: there is no such node"):
        clients.act(ClientPlan(act="start", name="load", on="n99", hosts=("n11",)), [])


def test_a_client_that_died_is_told_at_each_look_and_at_its_end(
    clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("e2e_ansible.run.clients._FIRST_ROW_SECONDS", 0.1)
    secret = tmp_path / "secret"
    secret.write_text("none\n")
    secret.chmod(0o600)
    variables = {"ansible_host": "127.0.0.99", "e2e_client_password_file": str(secret)}
    node = Node(name="n11", labels=("database",), power=ON, variables=variables)
    load = ClientPlan(act="start", name="load", hosts=("n11",), settings={"rate": 50})
    clients.act(load, [node])
    with pytest.raises(HarnessError, match="load is running already"):
        clients.act(load, [node])
    assert list(clients.look()) == ["load"]
    (start, *_) = clients.histories.at(clients.look())["load"]
    assert start.pid is not None
    assert (start.hosts, start.controller_wall is not None) == (["127.0.0.99"], True)
    os.kill(start.pid, signal.SIGKILL)
    for act in (clients.look, clients.stop):
        with pytest.raises(HarnessError, match="the client ended with code -9"):
            assert Deadline(10).wait_for(lambda: not act())  # noqa: B023
    clients.stop()
    assert [record.event for record in clients.histories.whole()["load"]][:1] == [Event.START]


def test_the_ssh_command_is_made_of_the_variables_of_ansible() -> None:
    variables = {
        "ansible_host": "192.0.2.11",
        "ansible_user": "admin",
        "ansible_port": 2222,
        "ansible_ssh_private_key_file": "/key file",
        "ansible_ssh_common_args": "-o 'UserKnownHostsFile=/a b'",
    }
    words = ssh_command("n11", variables)
    assert words[-1] == "admin@192.0.2.11"
    assert words[-7:-1] == ["-i", "/key file", "-p", "2222", "-o", "UserKnownHostsFile=/a b"]


@pytest.mark.parametrize(
    ("variables", "error", "message"),
    [
        ({"ansible_host": "a", "ansible_connection": "local"}, UsageError, "not reached by ssh"),
        ({"ansible_host": "a", "ansible_password": "secret"}, UsageError, "needs a key"),
        ({}, HarnessError, "no address"),
    ],
)
def test_a_node_without_a_key_has_no_client(
    variables: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        ssh_command("n11", variables)
    assert "secret" not in str(raised.value)
