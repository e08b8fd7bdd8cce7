"""Powers one machine and waits for the provider's own word, by a deadline."""

from __future__ import annotations

from e2e_ansible.deadline import Deadline
from e2e_ansible.errors import ProviderError
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.providers.base import Operation, PowerResult
from e2e_ansible.providers.cloud.machine import Cloud, Machine, Pending
from e2e_ansible.providers.cloud.pace import Pace
from e2e_ansible.providers.cloud.trouble import CloudError, Trouble, patiently

__all__ = ["operate"]

_TARGETS = {
    Operation.ON: PowerState.ON,
    Operation.OFF: PowerState.OFF,
    Operation.HARD_OFF: PowerState.OFF,
    Operation.REBOOT: PowerState.ON,
    Operation.RESET: PowerState.ON,
}
_GOES_OFF = {Operation.OFF, Operation.HARD_OFF}
_IDEMPOTENT = {Operation.ON, *_GOES_OFF}
_LOOK_SECONDS = 60.0


def operate(cloud: Cloud, machine: Machine, operation: Operation, seconds: float, pace: Pace) -> PowerResult:
    """Do one operation. `after` is what the provider says when it is done.

    Raises:
        ProviderError: the provider refused or failed, or was not done after `seconds`.
    """
    deadline = Deadline(seconds)
    target = _TARGETS.get(operation)
    now = machine
    while True:
        if operation in _IDEMPOTENT and now.power is target:
            return _already(machine, now)
        pending = _asked(cloud, now, operation, deadline)
        if pending is not None:
            break
        deadline.pause(pace.look)
        now = _now(cloud, machine)

    def done() -> Machine | None:
        if not patiently(pending, deadline):
            return None
        now = _now(cloud, machine)
        reached = target is None or now.power is target
        return now if reached and (target is not PowerState.ON or now.reached_at) else None

    after = deadline.wait_for(done, interval=pace.look)
    if after is None:
        text = f"{operation.value} of {machine.node} ({machine.machine}) was not done after {seconds:g} s"
        raise ProviderError(f"{text}; {cloud.name} says it is {_now(cloud, machine).state}")
    return PowerResult(
        changed=True,
        before=machine.power,
        after=after.power,
        detail=after.state,
        side_effects=_side_effects(machine, after, operation),
        address_changed=machine.reached_at != after.reached_at,
    )


def _asked(cloud: Cloud, machine: Machine, operation: Operation, deadline: Deadline) -> Pending | None:
    """What the operation waits for; None when the machine is between two states and cannot be asked now."""
    try:
        return patiently(lambda: cloud.power(machine, operation), deadline)
    except CloudError as error:
        between = machine.power is PowerState.UNKNOWN and error.trouble is Trouble.CONFLICT
        if not between or deadline.expired:
            raise
        return None


def _already(before: Machine, now: Machine) -> PowerResult:
    """Nothing was to be done; a machine that was on its way has got there by itself."""
    return PowerResult(
        changed=False,
        before=before.power,
        after=now.power,
        detail=f"already {now.state}",
        address_changed=before.reached_at != now.reached_at,
    )


def _now(cloud: Cloud, machine: Machine) -> Machine:
    machines = patiently(lambda: cloud.machines(machine.deployment), Deadline(_LOOK_SECONDS))
    for each in machines:
        if each.id == machine.id:
            return each
    raise ProviderError(f"{machine.node} ({machine.machine}) is gone")


def _side_effects(before: Machine, after: Machine, operation: Operation) -> tuple[str, ...]:
    effects = []
    old, new = before.reached_at, after.reached_at
    if old != new:
        changed = f"the address changed from {old} to {new}" if old and new else ""
        effects.append(changed or (f"the address is {new}" if new else f"the address {old} was given back"))
    if operation in _GOES_OFF and before.local_disk:
        effects.append("its local disk is lost")
    return tuple(effects)
