"""Turns domains on and off."""

from __future__ import annotations

from e2e_ansible.deadline import Deadline
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Operation
from e2e_ansible.providers.cloud.machine import Machine, Pending
from e2e_ansible.providers.cloud.trouble import Trouble, passing
from e2e_ansible.providers.libvirt.domain import power_of
from e2e_ansible.providers.libvirt.machine import state_of
from e2e_ansible.providers.libvirt.network import wake_network
from e2e_ansible.providers.libvirt.virsh import Virsh

__all__ = ["power"]

#: A guest that is just booting, or has nobody yet who listens, does not hear the button.
_PRESS_AGAIN_SECONDS = 10.0


def power(virsh: Virsh, machine: Machine, operation: Operation) -> Pending:
    """Ask for an operation. A reboot is off and on again, so that its end can be told from its beginning."""
    match operation:
        case Operation.ON:
            _start(virsh, machine)
        case Operation.OFF:
            return _shutdown(virsh, machine)
        case Operation.HARD_OFF:
            virsh.run("destroy", machine.machine)
        case Operation.REBOOT:
            return _reboot(virsh, machine)
        case Operation.RESET if machine.power is PowerState.OFF:
            _start(virsh, machine)
        case Operation.RESET:
            virsh.run("reset", machine.machine)
        case Operation.NMI:
            virsh.run("inject-nmi", machine.machine)
    return lambda: True


def _start(virsh: Virsh, machine: Machine) -> None:
    if machine.state == "paused":
        virsh.run("resume", machine.machine)
    else:
        wake_network(virsh, machine.machine)
        virsh.run("start", machine.machine)


def _shutdown(virsh: Virsh, machine: Machine) -> Pending:
    button = ("shutdown", machine.machine, "--mode", "acpi")
    virsh.run(*button)
    pressed = Deadline(_PRESS_AGAIN_SECONDS)

    def off() -> bool:
        nonlocal pressed
        if power_of(state_of(virsh, machine.machine)) is PowerState.OFF:
            return True
        if pressed.expired:
            pressed = Deadline(_PRESS_AGAIN_SECONDS)
            with passing(Trouble.CONFLICT):  # it may have gone off just now
                virsh.run(*button)
        return False

    return off


def _reboot(virsh: Virsh, machine: Machine) -> Pending:
    off = _shutdown(virsh, machine)
    started = False

    def done() -> bool:
        nonlocal started
        if not started and off():
            virsh.run("start", machine.machine)
            started = True
        return started

    return done
