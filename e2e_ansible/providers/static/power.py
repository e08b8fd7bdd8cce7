"""Powers one machine by its board and waits for the board's own word, by a deadline."""

from __future__ import annotations

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import ProviderError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Operation, PowerResult
from e2e_ansible.providers.static.redfish import Redfish

__all__ = ["operate"]

_LOOK_SECONDS = 1.0
_TARGETS = {
    Operation.ON: PowerState.ON,
    Operation.OFF: PowerState.OFF,
    Operation.HARD_OFF: PowerState.OFF,
    Operation.REBOOT: PowerState.ON,
    Operation.RESET: PowerState.ON,
}
_OF_A_RUNNING_MACHINE = {Operation.REBOOT, Operation.NMI}


def operate(system: Redfish, machine: str, operation: Operation, deadline: Deadline) -> PowerResult:
    """Do one operation and wait until the service reports its state. Of a machine that is off, `reset` starts it.

    Raises:
        UnsupportedOperation: the service does not offer it.
        ProviderError: the service refused or failed, or the state was not reached.
    """
    before, word = system.state()
    target = _TARGETS.get(operation)
    if before is target and operation not in (Operation.REBOOT, Operation.RESET):
        return PowerResult(changed=False, before=before, after=before, detail=f"already {word}")
    if before is PowerState.OFF and operation in _OF_A_RUNNING_MACHINE:
        raise ProviderError(f"{operation.value} of {machine}: it is off", hint="operation on starts it")
    starts = before is PowerState.OFF and operation is Operation.RESET
    kind = system.ask(Operation.ON if starts else operation)
    after, last = before, word

    def reached() -> bool:
        nonlocal after, last
        after, last = system.state()
        return target is None or after is target

    if not deadline.wait_for(reached, interval=_LOOK_SECONDS):
        text = f"{operation.value} ({kind}) of {machine} was not done in time; Redfish says it is {last}"
        raise ProviderError(text, hint=_late_hint(operation))
    return PowerResult(changed=True, before=before, after=after, detail=f"{kind}: {last}")


def _late_hint(operation: Operation) -> str:
    if operation is Operation.OFF:
        return "its system may not listen to the power button; hard_off does not ask it"
    return "a longer deadline_seconds, or a look at its console"
