"""The client against a server that is right, slow, broken, away or another: what is repeated, and what is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from awx_server import TOKEN, Awx, running

from e2e_ansible.awx.client import AwxError, Client, Lost, Server
from e2e_ansible.errors import UsageError

HERE = {"E2E_AWX_HOST": "https://awx.example.org", "E2E_AWX_TOKEN": "s3cret"}


@pytest.fixture
def awx(tmp_path: Path) -> Iterator[Awx]:
    with running(tmp_path) as server:
        yield server


def client(awx: Awx, patience: float = 5) -> Client:
    return Client(Server(awx.host, TOKEN, patience_seconds=patience))


def test_the_environment_says_where_and_who() -> None:
    server = Server.from_environment(HERE)
    assert (server.host, server.token, server.prefix) == ("https://awx.example.org", "s3cret", "/api/v2/")
    assert "s3cret" not in repr(server)
    assert (
        Server.from_environment(HERE | {"E2E_AWX_PREFIX": "api/controller/v2"}).prefix
        == "/api/controller/v2/"
    )
    other = {"CONTROLLER_HOST": "awx.example.org", "CONTROLLER_OAUTH_TOKEN": "t"}
    assert Server.from_environment(other).url("ping/") == "https://awx.example.org/api/v2/ping/"
    gateway = other | {"CONTROLLER_OPTIONAL_API_URLPATTERN_PREFIX": "/api/controller/"}
    assert Server.from_environment(gateway).prefix == "/api/controller/v2/"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"E2E_AWX_HOST": ""}, "address of AWX is not set"),
        ({"E2E_AWX_TOKEN": ""}, "token for AWX is not set"),
        ({"E2E_AWX_HOST": "ftp://x"}, "E2E_AWX_HOST is no address"),
        ({"E2E_AWX_HOST": "http://user:word@x"}, "E2E_AWX_HOST is no address"),
        ({"E2E_AWX_HOST": "http://x:99999999"}, "E2E_AWX_HOST is no address"),
        ({"E2E_AWX_TOKEN": "a\nb"}, "E2E_AWX_TOKEN holds characters"),
        ({"E2E_AWX_PATIENCE": "long"}, "'long', which is no number of seconds"),
        ({"E2E_AWX_PATIENCE": "nan"}, "no number of seconds"),
    ],
)
def test_a_bad_environment_is_said_without_its_secrets(change: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        Server.from_environment(HERE | change)
    assert "word" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_all_pages_are_read(awx: Awx) -> None:
    for number in range(450):
        awx.state.create("labels", {"name": f"l{number}"})
    assert len(list(client(awx).each("labels/"))) == 450
    assert len(awx.asked("GET", "labels/")) == 3


@pytest.mark.parametrize("status", [429, 500, 502, 503, 0])
def test_a_read_outlives_what_passes(awx: Awx, status: int) -> None:
    awx.fault("organizations", status, times=2)
    found = client(awx).named("organizations", "Default")
    assert found is not None
    assert len(awx.asked("GET")) == 3


def test_a_server_says_when_to_come_again(awx: Awx) -> None:
    awx.fault("organizations", 429, retry_after="1")
    asked: list[float] = []
    there = client(awx)
    import time

    begin = time.monotonic()
    there.named("organizations", "Default")
    asked.append(time.monotonic() - begin)
    assert asked[0] >= 1


@pytest.mark.parametrize(("status", "asked"), [(429, 2), (503, 2), (409, 2), (500, 1), (502, 1), (0, 1)])
def test_a_change_is_repeated_only_if_it_was_surely_not_made(awx: Awx, status: int, asked: int) -> None:
    awx.fault("labels/", status)
    there = client(awx)
    if asked == 1:
        with pytest.raises(Lost):
            there.post("labels/", {"name": "x"})
    else:
        assert there.post("labels/", {"name": "x"})["name"] == "x"
    assert len(awx.asked("POST")) == asked


@pytest.mark.parametrize("status", [500, 0])
def test_patience_ends(awx: Awx, status: int) -> None:
    awx.fault("organizations", status, times=99)
    with pytest.raises(Lost):
        client(awx, 0.3).get("organizations/")


def test_a_host_that_is_away_is_said(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        there = client(server, 0)
    with pytest.raises(Lost, match=r"does not answer: .*refused") as caught:
        there.get("organizations/")
    assert caught.value.exit_code == 4
    assert TOKEN not in str(caught.value)


def test_a_wrong_token_is_said_at_once(awx: Awx) -> None:
    there = Client(replace(client(awx).server, token="wrong-one"))
    with pytest.raises(AwxError, match="answered 401") as caught:
        there.get("organizations/")
    assert "the token is wrong" in caught.value.hint
    assert "wrong-one" not in str(caught.value)
    assert len(awx.asked("GET")) == 1


def test_a_refusal_is_told_in_the_words_of_awx(awx: Awx) -> None:
    with pytest.raises(AwxError, match=r"answered 400 to POST /api/v2/organizations/: .*already exists"):
        client(awx).post("organizations/", {"name": "Default"})


def test_another_prefix_is_used_and_a_wrong_one_is_said(tmp_path: Path) -> None:
    with running(tmp_path, prefix="/api/controller/v2/") as server:
        right = Client(Server(server.host, TOKEN, "/api/controller/v2/"))
        assert right.named("organizations", "Default")
        with pytest.raises(AwxError, match="404") as caught:
            client(server).get("organizations/")
    assert "E2E_AWX_PREFIX" in caught.value.hint


def test_a_redirect_does_not_take_the_token_elsewhere(awx: Awx, tmp_path: Path) -> None:
    with running(tmp_path) as other:
        awx.fault("organizations", 302, location=f"{other.host}/api/v2/organizations/")
        with pytest.raises(AwxError, match="answered 302"):
            client(awx).get("organizations/")
        assert other.requests == []


def test_what_is_gone_needs_no_removal(awx: Awx) -> None:
    client(awx).delete("labels/99/")
