"""Which hosts of an inventory are the same machine, by the board that powers them."""

from __future__ import annotations

import pytest

from e2e_ansible.errors import UsageError
from e2e_ansible.providers.base import NodeSpec
from e2e_ansible.providers.static.access import Access
from e2e_ansible.providers.static.inventory import Machine, assign


def host(number: int, url: str, system: str = "") -> Machine:
    return Machine(
        host=f"n{number}",
        variables={"ansible_host": f"203.0.113.{number}"},
        redfish=Access(url=url, system=system),
    )


def chosen(*machines: Machine) -> list[str]:
    nodes = [NodeSpec(name=machine.host) for machine in machines]
    return sorted(assign(nodes, machines))


@pytest.mark.parametrize(
    ("url", "system"),
    [
        ("https://board", "1"),
        ("https://board/", "1"),
        ("https://BOARD", "1"),
        ("https://board:443", "1"),
        ("https://board", "/redfish/v1/Systems/1"),
        ("https://board", "/redfish/v1/Systems/1/"),
    ],
)
def test_one_board_is_one_machine_however_it_is_written(url: str, system: str) -> None:
    """Else one node would lose its power in place of another one."""
    with pytest.raises(UsageError, match=r"n11 and n12 are the same machine \(https://board 1\)"):
        chosen(host(11, "https://board", "1"), host(12, url, system))


@pytest.mark.parametrize(
    "url",
    [
        "https://admin:sesame@board",
        "http://admin:sesame@board",
        "https://admin:x/sesame@board",
        "https://admin:sesame@board:x",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(UsageError, match="holds a user or password") as error:
        Access(url=url).checked("n11")
    assert "sesame" not in f"{error.value} {error.value.hint}"


@pytest.mark.parametrize(
    "url", ["https://board:x", "https://board:0", "https://board:65536", "https://[b", "https://"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="which is no address"):
        Access(url=url).checked("n11")


@pytest.mark.parametrize("url", ["http://board", "board", "board:8443"])
def test_what_would_send_a_password_in_the_clear_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="must begin with https://"):
        Access(url=url).checked("n11")


@pytest.mark.parametrize(
    ("url", "system"), [("https://board", "2"), ("https://board:8443", "1"), ("https://other", "1")]
)
def test_other_boards_and_systems_are_others(url: str, system: str) -> None:
    assert chosen(host(11, "https://board", "1"), host(12, url, system)) == ["n11", "n12"]
