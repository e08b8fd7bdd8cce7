"""Of machines that were ordered the first failure is told, once; the others of its deployment do not get in the way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.cloud.machine import DEPLOYMENT_TAG, Machine
from e2e_ansible.providers.cloud.ordered import Orders
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble


class Operation:
    """What an operation tells at each look: False, True, or a trouble."""

    def __init__(self, *told: bool | Trouble) -> None:
        self._told: Iterator[bool | Trouble] = iter(told)

    def __call__(self) -> bool:
        now = next(self._told)
        if isinstance(now, Trouble):
            raise CloudError(f"it is {now}", now)
        return now


def ordered(orders: Orders, name: str, *told: bool | Trouble, deployment: str = "one") -> None:
    machine = Machine(
        id=name,
        machine=name,
        power=PowerState.UNKNOWN,
        state="ORDERED",
        tags={DEPLOYMENT_TAG: deployment},
    )
    orders.add(machine, Operation(*told))


def still(orders: Orders, deployment: str = "one") -> list[str]:
    return [machine.machine for machine in orders.still(deployment)]


def test_what_has_not_ended_is_there() -> None:
    orders = Orders()
    ordered(orders, "a", False, True)
    ordered(orders, "b", False, False, True)
    assert [still(orders) for _ in range(4)] == [["a", "b"], ["b"], [], []]


def test_each_deployment_has_its_own() -> None:
    orders = Orders()
    ordered(orders, "a", Trouble.CAPACITY)
    ordered(orders, "b", False, False, deployment="two")
    assert still(orders, "two") == ["b"]
    with pytest.raises(CloudError, match="it is capacity"):
        still(orders, "")
    assert still(orders, "") == ["b"]


def test_a_failure_is_told_once_and_for_all() -> None:
    orders = Orders()
    ordered(orders, "a", Trouble.CAPACITY)
    ordered(orders, "b", False, Trouble.CAPACITY)
    with pytest.raises(CloudError, match="it is capacity"):
        still(orders)
    assert still(orders) == ["b"], "its operation has not ended"
    ordered(orders, "c", False, Trouble.QUOTA)
    assert still(orders) == ["c"], "what is ordered afterwards is another matter"
    with pytest.raises(CloudError, match="it is quota"):
        still(orders)
    assert still(orders) == []


def test_a_look_that_fails_is_no_end() -> None:
    orders = Orders()
    ordered(orders, "a", Trouble.TRANSIENT, False, True)
    with pytest.raises(CloudError, match="it is transient"):
        still(orders)
    assert [still(orders) for _ in range(2)] == [["a"], []]
