"""One test several times in one run: each repetition is a test of its own, with nodes of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from e2e_ansible.compile.plan import Plan
from e2e_ansible.errors import UsageError

__all__ = ["repeated", "repetition"]


def repetition(plan: Plan, number: int) -> Plan:
    """The plan as the repetition of this number, named `NAME#NUMBER`; 0 is the plan itself."""
    return plan.model_copy(update={"name": f"{plan.name}#{number}", "repetition": number}) if number else plan


def repeated(plans: Sequence[Plan], times: int) -> list[Plan]:
    """All tests once, then all of them again: what changes in the machine while it goes on meets them all alike.

    Raises:
        UsageError: a test would have the name of a repetition of another one.
    """
    if times == 1:
        return list(plans)
    _refuse_same(plans, times)
    return [repetition(plan, number) for number in range(1, times + 1) for plan in plans]


def _refuse_same(plans: Iterable[Plan], times: int) -> None:
    for plan in plans:
        if plan.repetition:
            raise UsageError(f"{plan.name} is a repetition already", hint="repeat the test itself")
        name, _, number = plan.name.rpartition("#")
        if number.isdecimal() and 1 <= int(number) <= times and any(one.name == name for one in plans):
            raise UsageError(
                f"{plan.name} is the name of a repetition of {name}, too", hint="rename the test"
            )
