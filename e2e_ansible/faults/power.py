"""Faults of the power: done and proved by the roles `crash_node`, `node_power` and `reboot_node`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from e2e_ansible.faults.base import FaultOptions, PowerFault
from e2e_ansible.providers.capabilities import Requirement

__all__ = ["Crash", "Panic", "PowerOff", "Reboot", "Stop"]

_ROLE_PROOF = "the provider reports it off, or it answers from another boot"


class _Role(PowerFault[FaultOptions]):
    options = FaultOptions
    effect_proof = _ROLE_PROOF
    healing = "powered on by its provider; it answers"
    works = "where the provider can, see `e2e-ansible providers`"
    _does: ClassVar[tuple[str, Mapping[str, Any]]]
    _back: ClassVar[Literal["on", "reset", ""]] = "on"

    def role(self, options: FaultOptions) -> tuple[str, Mapping[str, Any]]:
        """As the class says."""
        return self._does

    def way_back(self, options: FaultOptions) -> Literal["on", "reset", ""]:
        """As the class says."""
        return self._back


class Crash(_Role):
    """From inside."""

    name = "crash"
    summary = "Crash the node from inside: SysRq b, in a container poweroff -f"
    requires = (Requirement.CRASH_SSH,)
    _does = ("crash_node", {"method": "ssh"})


class Panic(_Role):
    """The kernel gives up."""

    name = "panic"
    summary = "Let the kernel panic by SysRq c; it boots again ten seconds later"
    works = "on machines; a container has no kernel of its own and is refused"
    machines_only = True
    healing = "reset by its provider if it has not come back; it answers"
    _does = ("crash_node", {"method": "panic"})
    _back = "reset"


class PowerOff(_Role):
    """The plug is pulled."""

    name = "power_off"
    summary = "Cut the power by the provider, without a word to the guest"
    requires = (Requirement.CRASH_DESTROY,)
    _does = ("crash_node", {"method": "destroy"})


class Stop(_Role):
    """In good order."""

    name = "stop"
    summary = "Ask the node to power off, by the provider"
    requires = (Requirement.NODE_STOP_START,)
    _does = ("node_power", {"operation": "off"})


class Reboot(_Role):
    """There and back."""

    name = "reboot"
    summary = "Ask the service manager for a reboot"
    effect_proof = "it answers from another boot"
    healing = "it has come back by itself; it answers"
    requires = (Requirement.REBOOT_SSH,)
    takes_away = False
    _does = ("reboot_node", {})
    _back = ""
