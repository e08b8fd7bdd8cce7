"""Machines that this process ordered: their operation knows first whether there is room for them."""

from __future__ import annotations

from dataclasses import dataclass

from e2e_ansible.providers.cloud.machine import Machine, Pending
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble

__all__ = ["Orders"]


@dataclass
class _Ordered:
    machine: Machine
    ended: Pending
    given_up: bool = False


class Orders:
    """What was ordered and has not ended."""

    def __init__(self) -> None:
        self._open: list[_Ordered] = []

    def add(self, machine: Machine, ended: Pending) -> None:
        """A machine as it is before it is listed, and whether its operation has ended."""
        self._open.append(_Ordered(machine, ended))

    def still(self, deployment: str) -> list[Machine]:
        """What has not ended, of one deployment or of all.

        Raises:
            CloudError: one could not be made. That is told once, and of the others of its deployment it is not.
        """
        mine = [each for each in self._open if deployment in ("", each.machine.deployment)]
        for each in mine:
            try:
                ended = each.ended()
            except CloudError as error:
                if error.trouble is Trouble.TRANSIENT:
                    raise
                self._open.remove(each)
                if each.given_up:
                    continue
                self._give_up(each.machine.deployment)
                raise
            if ended:
                self._open.remove(each)
        return [each.machine for each in mine if each in self._open]

    def _give_up(self, deployment: str) -> None:
        for each in self._open:
            each.given_up = each.given_up or each.machine.deployment == deployment
