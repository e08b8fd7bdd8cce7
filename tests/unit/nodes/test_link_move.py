"""A node that comes back at another address is asked there."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader

from e2e_ansible.nodes.link import Link


class Action:
    def __init__(self, kind: str) -> None:
        self._play_context = PlayContext()
        self._connection = connection_loader.get(kind, self._play_context, "/dev/null")
        if kind == "ssh":
            self._connection.set_options(var_options={"ansible_host": "192.0.2.1"})

    def _low_level_execute_command(self, *_: object, **__: object) -> dict[str, Any]:
        raise AssertionError("nothing is to be executed")


@pytest.mark.parametrize(
    ("address", "asked"), [("192.0.2.7", "192.0.2.7"), ("", "192.0.2.1"), ("192.0.2.1", "192.0.2.1")]
)
def test_ssh_goes_to_the_new_address(address: str, asked: str) -> None:
    action = Action("ssh")
    link = Link(action, {})
    link.move(address)
    assert link.address == asked
    assert action._connection.get_option("host") == asked


def test_another_connection_is_left_alone() -> None:
    link = Link(Action("local"), {})
    before = link.address
    link.move("192.0.2.7")
    assert link.address == before
