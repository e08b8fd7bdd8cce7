"""The way of an instance from one power state to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from e2e_ansible.providers.aws.machine import ENDING
from e2e_ansible.providers.cloud.machine import Machine
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["Leg", "Travel"]


@dataclass
class Leg:
    """From one state to another by a call that is made once."""

    origin: str
    goal: str
    ask: Callable[[], object]
    also_from: str = ""
    asked: bool = False
    left: bool = False


class Travel:
    """A machine on its way over one or more legs; whether it has arrived."""

    def __init__(self, machine: Machine, way: list[Leg], state: Callable[[], tuple[str, str]]) -> None:
        self._machine = machine
        self._way = way
        self._state = state

    def __call__(self) -> bool:
        state, reason = self._state()
        if state in ENDING:
            raise CloudError(f"aws: {self._named} is {state}: {reason}", Trouble.MISSING)
        while self._way and state == self._way[0].goal:
            self._way.pop(0)
        if self._way:
            self._advance(self._way[0], state, reason)
        return not self._way

    @property
    def _named(self) -> str:
        return f"{self._machine.node} ({self._machine.machine})"

    def _advance(self, leg: Leg, state: str, reason: str) -> None:
        """Old news may still name the origin; that it was left and is there again means that it did not work."""
        if not leg.asked and state in (leg.origin, leg.also_from):
            leg.ask()
            leg.asked = True
        elif leg.asked and leg.left and state == leg.origin:
            raise CloudError(f"aws: {self._named} is {state} again: {reason}", Trouble.OTHER)
        elif leg.asked and state != leg.origin:
            leg.left = True
