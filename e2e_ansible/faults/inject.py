"""Injects one fault on one node: the ledger first, then the node's own record and timer, then the act and its proof."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from e2e_ansible.faults.base import NodeFacts, PowerFault, ShellFault
from e2e_ansible.faults.hands import Done, Hands
from e2e_ansible.faults.heal import heal_shell
from e2e_ansible.faults.ledger import Line
from e2e_ansible.faults.registry import fault_named, options_of
from e2e_ansible.faults.script import NOT_OFFERED, lay_down, script

__all__ = ["Injection", "Order", "inject", "intend"]

_LAY_DOWN_SECONDS = 20
_INJECT_SECONDS = 90
Result = dict[str, Any]


class Order(BaseModel):
    """What is to be injected; `id` is that of the fault on this node."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    fault: str
    options: Mapping[str, Any] = Field(default_factory=dict)
    name: str = ""
    step: str = ""
    expires_seconds: float = Field(3600, gt=0)


@dataclass(frozen=True)
class Injection:
    """One order at one node; `identity` is what the guard saw, `write` puts a line into the ledger."""

    order: Order
    node: NodeFacts
    identity: Mapping[str, Any]
    write: Callable[[Line], None]
    now: Callable[[], float] = time.time

    @property
    def machine(self) -> str:
        """The machine id that every script compares."""
        return str(self.identity["machine_id"])

    def line(self, event: Any, **more: Any) -> Line:
        """A line about this fault."""
        return Line(at=self.now(), fault_id=self.order.id, event=event, **more)

    def intended(self, heal: Mapping[str, Any]) -> Line:
        """The line before the act, with all that heals it."""
        return self.line(
            "intended",
            fault=self.order.fault,
            node=self.node.name,
            step=self.order.step,
            name=self.order.name or self.order.fault,
            options=self.order.options,
            before=self.identity,
            heal=heal,
        )


def inject(injection: Injection, hands: Hands) -> Result:
    """Inject and prove a fault of the shell. What is not proved is healed at once and proves nothing.

    Raises:
        UsageError: there is no such fault, or an option is wrong.
        OSError: the ledger could not be written; nothing was done.
    """
    begin = time.monotonic()
    order, node = injection.order, injection.node
    fault = fault_named(order.fault)
    options = options_of(fault, order.options)
    refusal = fault.refusal(options, node)
    if refusal or not isinstance(fault, ShellFault):
        return _unproved(order, f"not offered: {refusal or f'{fault.name} is no fault of the shell'}", begin)
    programs = fault.programs(options, node)
    scripts = {
        name: script(getattr(programs, name), injection.machine, node.key)
        for name in ("inject", "effect", "heal", "healed")
    }
    heal = {
        "kind": "shell",
        "key": node.key,
        "machine": injection.machine,
        "heal": scripts["heal"],
        "healed": scripts["healed"],
        "seconds": fault.healed_seconds,
        "survives_boot": fault.survives_boot,
    }
    injection.write(injection.intended(heal))
    done = _act(injection, hands, scripts)
    if done.code == 0:
        injection.write(injection.line("injected"))
        done = hands.run_until(scripts["effect"], fault.effect_seconds, fresh=fault.fresh_login)
        injection.write(injection.line("effect", proved=done.code == 0, message=done.said))
    if done.code == 0:
        return {"changed": True, **_proof(order, done.said, begin, proved=True)}
    return _undone(injection, hands, heal, done, begin)


def intend(injection: Injection) -> Result:
    """The line before a fault of the power, and what is to be done: the role and its variables.

    Raises:
        UsageError: there is no such fault, or an option is wrong.
    """
    fault = fault_named(injection.order.fault)
    options = options_of(fault, injection.order.options)
    refusal = fault.refusal(options, injection.node)
    if refusal or not isinstance(fault, PowerFault):
        text = f"not offered: {refusal or f'{fault.name} is no fault of the power'}"
        return _unproved(injection.order, text, time.monotonic())
    operation = fault.way_back(options)
    heal = {"kind": "power", "operation": operation, "machine": injection.machine}
    injection.write(injection.intended(heal))
    role, variables = fault.role(options)
    return {"changed": False, "role": role, "variables": dict(variables), "fault_id": injection.order.id}


def _act(injection: Injection, hands: Hands, scripts: Mapping[str, str]) -> Done:
    """The record and the timer on the node, then the injection."""
    order, node = injection.order, injection.node
    record = {
        "id": order.id,
        "fault": order.fault,
        "options": dict(order.options),
        "at": injection.now(),
        "expires_seconds": order.expires_seconds,
        "boot": injection.identity.get("boot_id", ""),
    }
    laid = lay_down(injection.machine, node.key, json.dumps(record), scripts["heal"], order.expires_seconds)
    done = hands.run(laid, _LAY_DOWN_SECONDS)
    return hands.run(scripts["inject"], _INJECT_SECONDS) if done.code == 0 else done


def _undone(injection: Injection, hands: Hands, heal: Mapping[str, Any], done: Done, begin: float) -> Result:
    """Heal what had no effect: it may have had another one."""
    healed = heal_shell(heal, hands)
    injection.write(
        injection.line(
            "healed" if healed.code == 0 else "failed", proved=healed.code == 0, message=healed.said
        )
    )
    offered = done.code != NOT_OFFERED
    text = f"the effect of {injection.order.fault} is not proved: {done.said}" if offered else done.said
    if healed.code != 0:
        return {"failed": True, "changed": True, "msg": f"not healed: {healed.said}; {text}"}
    return _unproved(injection.order, f"{text}; it was healed" if offered else text, begin)


def _unproved(order: Order, message: str, begin: float) -> Result:
    return {"failed": True, "changed": False, "msg": message, **_proof(order, message, begin, proved=False)}


def _proof(order: Order, how: str, begin: float, *, proved: bool) -> Result:
    seconds = round(time.monotonic() - begin, 3)
    return {
        "e2e_proof": {"act": f"fault {order.fault}", "proved": proved, "how": how, "seconds": seconds},
        "fault_id": order.id,
    }
