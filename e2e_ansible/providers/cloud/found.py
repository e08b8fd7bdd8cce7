"""The machines of a deployment by their tags, and which of them is the one that is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import ProviderError
from e2e_ansible.providers.cloud.machine import Cloud, Machine
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.cloud.record import CloudRecord
from e2e_ansible.providers.cloud.trouble import patiently

__all__ = ["by_node", "found", "listed", "one_of", "refuse_strangers"]

_MEANT = "take the tags off the one that is not meant"


def listed(cloud: Cloud, deployment: str, pace: Pace) -> Sequence[Machine]:
    """All that carry its tag."""
    return patiently(lambda: cloud.machines(deployment), Deadline(pace.call))


def by_node(machines: Sequence[Machine], record: CloudRecord | None = None) -> dict[str, Machine]:
    """One for each node: one that is not about to be gone before one that is, the recorded one before others."""

    def rank(machine: Machine) -> tuple[bool, bool]:
        return not machine.ending, record is None or machine.machine == record.machine_name(machine.node)

    return {machine.node: machine for machine in sorted(machines, key=rank)}


def found(cloud: Cloud, deployment: str, pace: Pace, record: CloudRecord | None = None) -> dict[str, Machine]:
    """The machines of a deployment by node."""
    return by_node(listed(cloud, deployment, pace), record)


def one_of(machines: Sequence[Machine], node: str, record: CloudRecord | None) -> Machine | None:
    """The machine of a node, None where there is none.

    Raises:
        ProviderError: it cannot be told which one is meant, or what is there is not the recorded one.
    """
    refuse_strangers([each for each in machines if each.node == node], record)
    return by_node(machines).get(node)


def refuse_strangers(machines: Sequence[Machine], record: CloudRecord | None) -> None:
    """Tags can be copied, and somebody else may have used the same id: nothing is done to what may not be ours.

    Raises:
        ProviderError: two have the tags of one node, or one has not the name that was recorded for it.
    """
    living = [machine for machine in machines if not machine.ending]
    for machine in living:
        wanted = record.machine_name(machine.node) if record else machine.machine
        if machine.machine != wanted:
            text = f"{_named(machine)} has the tags of {machine.node}, which is recorded as {wanted}"
            raise ProviderError(text, hint=f"{_MEANT}; another id makes a deployment of its own")
    for first, second in _doubles(living).values():
        text = f"{_named(first)} and {_named(second)} both have the tags of {first.node}"
        raise ProviderError(text, hint=f"{_MEANT}; destroy removes both")


def _doubles(machines: Sequence[Machine]) -> Mapping[str, tuple[Machine, Machine]]:
    first: dict[str, Machine] = {}
    found_twice: dict[str, tuple[Machine, Machine]] = {}
    for machine in machines:
        known = first.setdefault(machine.node, machine)
        if known is not machine:
            found_twice[machine.node] = known, machine
    return found_twice


def _named(machine: Machine) -> str:
    return f"{machine.machine} ({machine.id})"
