"""An operation of several steps asks for each when the one before has ended."""

from __future__ import annotations

import pytest

from e2e_ansible.providers.cloud.machine import Pending
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble
from e2e_ansible.providers.cloud.turns import in_turn


class Provider:
    """Steps by name; each ends when it is told to, and the next call may fail."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.ended: set[str] = set()
        self.fails = False

    def ask(self, step: str) -> Pending:
        if self.fails:
            self.fails = False
            raise CloudError("500", Trouble.TRANSIENT)
        self.asked.append(step)
        return lambda: step in self.ended


def test_each_step_waits_for_the_one_before() -> None:
    provider = Provider()
    pending = in_turn([lambda: provider.ask("reset"), lambda: provider.ask("stop")])
    assert provider.asked == ["reset"]
    assert pending() is False
    assert provider.asked == ["reset"]
    provider.ended.add("reset")
    assert pending() is False
    assert provider.asked == ["reset", "stop"]
    provider.ended.add("stop")
    assert pending() is True
    assert pending() is True
    assert provider.asked == ["reset", "stop"]


def test_step_that_could_not_be_asked_for_is_asked_for_again() -> None:
    provider = Provider()
    pending = in_turn([lambda: provider.ask("stop"), lambda: provider.ask("start")])
    provider.ended |= {"stop", "start"}
    provider.fails = True
    with pytest.raises(CloudError):
        pending()
    assert pending() is True
    assert provider.asked == ["stop", "start"]
