"""The module `fault` as a task runs it: the guard over the act's own connection, then the act, then the ledger."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from e2e_ansible.errors import E2EError, GuardError
from e2e_ansible.faults.again import begun, inject_again, verify
from e2e_ansible.faults.base import NodeFacts, PowerFault
from e2e_ansible.faults.hands import Done, Hands
from e2e_ansible.faults.heal import heal_all, heal_shell, still_cut, wanted
from e2e_ansible.faults.inject import Injection, Order, intend
from e2e_ansible.faults.ledger import FaultRecord, Line, append, ledger_path, read
from e2e_ansible.faults.peers import addresses_off, peers
from e2e_ansible.faults.registry import fault_named, options_of
from e2e_ansible.faults.script import key_of
from e2e_ansible.nodes import probe
from e2e_ansible.nodes.awaiting import Until, Wait, await_node
from e2e_ansible.nodes.checkpoint import Target, check
from e2e_ansible.nodes.guard import Identity
from e2e_ansible.nodes.link import Action, Link
from e2e_ansible.nodes.look import Powered, name_refusal, node_name, power_of
from e2e_ansible.nodes.observation import PowerState
from e2e_ansible.nodes.power import operate
from e2e_ansible.providers.home import default_home

__all__ = ["FaultTask"]

_DEAD = (PowerState.OFF, PowerState.ABSENT)
_POWER_SECONDS = 300
_VERIFY_SECONDS = 60
Result = dict[str, Any]


class FaultTask:
    """One node as one task of the module `fault` reaches it."""

    def __init__(self, action: Action, variables: Mapping[str, Any], delegated_to: str = "") -> None:
        self._variables = variables
        self._delegated_to = delegated_to
        self._host = str(variables.get("inventory_hostname", ""))
        self._node = node_name(variables, self._host)
        self._link = Link(action, variables)
        self._hands = Hands(action._low_level_execute_command, self._link.reset)
        deployment = str(variables.get("e2e_deployment") or "")
        self._ledger = ledger_path(os.environ, default_home(), deployment)
        self._step = os.environ.get("E2E_STEP", "") or str(variables.get("e2e_step_id") or "")

    def inject(self, args: Mapping[str, Any]) -> Result:
        """Inject a fault of the shell and prove its effect."""
        record = begun(os.environ, self._ledger, self._id(args))
        return self._guarded(
            lambda identity: inject_again(record, self._injection(args, identity), self._hands)
        )

    def verify(self, args: Mapping[str, Any]) -> Result:
        """Whether a run that died has done the act of a role, so that it is not done a second time."""
        act = str(args.get("fault") or "")
        record = begun(os.environ, self._ledger, self._act_id(args, act))
        return verify(
            record,
            act,
            lambda wait: await_node(wait, lambda: power_of(self._variables, self._host), self._link.probe),
            lambda: power_of(self._variables, self._host).state not in _DEAD and self._link.probe().reachable,
            float(args.get("seconds") or _VERIFY_SECONDS),
        )

    def intend(self, args: Mapping[str, Any]) -> Result:
        """Write down a fault of the power that a role is about to do."""
        record = begun(os.environ, self._ledger, self._id(args))
        fault = fault_named(str(args["fault"]))
        was_done = record is not None and (record.open or record.effect_proved)
        if record is not None and was_done and isinstance(fault, PowerFault):
            role, variables = fault.role(options_of(fault, args.get("options") or {}))
            return {"changed": False, "role": role, "variables": dict(variables), "fault_id": record.id}
        return self._guarded(lambda identity: intend(self._injection(args, identity)))

    def note(self, args: Mapping[str, Any]) -> Result:
        """Write down an act that is not healed; `proved` is None before it and tells afterwards how it went."""
        proved = args.get("proved")
        act = str(args.get("fault") or "")
        line: dict[str, Any] = {"fault": act, "node": self._host, "step": self._step, "name": act}
        if proved is None:
            event = "intended"
            seen = (
                self._link.probe().identity
                if power_of(self._variables, self._host).state not in _DEAD
                else None
            )
            line["before"] = seen.model_dump(mode="json") if seen else None
        else:
            event = "effect"
            line |= {"proved": proved, "message": str(args.get("message") or "")}
        fault_id = self._act_id(args, act)
        self._write(Line.model_validate({"at": time.time(), "fault_id": fault_id, "event": event, **line}))
        return {"changed": False}

    def heal(self, args: Mapping[str, Any]) -> Result:
        """Heal what the ledger says is open on this node."""
        name = str(args.get("name") or "")
        records = wanted(read(self._ledger), self._node, name, checked=bool(self._step))
        powered = power_of(self._variables, self._host)
        return heal_all(records, partial(self._heal_one, powered, name), self._write)

    def _heal_one(self, powered: Powered, name: str, record: FaultRecord) -> Done:
        heal = record.heal or {}
        if powered.state is PowerState.ABSENT and powered.reason and self._variables.get("e2e_provider"):
            return Done(0, f"the node is gone, and the fault with it ({powered.reason})")
        if heal.get("kind") == "power":
            return self._heal_power(str(heal.get("operation") or ""))
        if powered.state is PowerState.OFF and not heal.get("survives_boot"):
            return Done(0, "the node is off, and such a fault does not survive that")
        return self._heal_shell(heal, still_cut(read(self._ledger), record, name))

    def _heal_shell(self, heal: Mapping[str, Any], cut: Collection[str]) -> Done:
        """By the script of the ledger, on the very machine that it was injected on."""
        verdict = self._check()
        if verdict.get("failed"):
            return Done(1, str(verdict["msg"]))
        if verdict["identity"]["machine_id"] != heal.get("machine"):
            return Done(1, f"refused: {self._host} is not the machine that the fault was injected on")
        return heal_shell(heal, self._hands, addresses_off(self._host, self._variables, cut))

    def _heal_power(self, operation: str) -> Done:
        """Bring the node back, by its provider, until it answers."""
        if operation == "reset" and self._link.probe().reachable:
            operation = "on"  # it has come back by itself
        try:
            if operation:
                operate(self._variables, self._host, operation, _POWER_SECONDS)
        except E2EError as error:
            return Done(1, str(error))
        wait = Wait(until=Until.REACHABLE, deadline_seconds=_POWER_SECONDS)
        self._link.reset()
        node = power_of(self._variables, self._host).node
        if node is not None:  # some providers give it another address with the power
            self._link.move(node.address)
        proof = await_node(wait, lambda: power_of(self._variables, self._host), self._link.probe)
        return Done(0 if proof.proved else 1, proof.how)

    def _guarded(self, act: Callable[[Mapping[str, Any]], Result]) -> Result:
        verdict = self._check()
        return verdict if verdict.get("failed") else act(verdict["identity"])

    def _check(self) -> Result:
        """The guard: never the controller, nor a machine that nobody meant."""
        shared = name_refusal(self._variables, self._host)
        if shared:
            raise GuardError(shared)
        node = power_of(self._variables, self._host).node
        target = Target(
            host=self._host,
            delegated_to=self._delegated_to,
            connection=self._link.connection,
            address=self._link.address,
            in_inventory=self._host in (self._variables.get("groups") or {}).get("all", []),
            expected_machine_id=node.machine_id if node else "",
        )
        return check(target, Identity.model_validate(probe.identity()), self._link.probe, sysrq=False)

    def _injection(self, args: Mapping[str, Any], identity: Mapping[str, Any]) -> Injection:
        fault_id = self._id(args)
        order = Order(
            id=fault_id,
            fault=str(args["fault"]),
            options=args.get("options") or {},
            name=str(args.get("name") or ""),
            step=self._step,
            expires_seconds=float(args.get("expires_seconds") or 3600),
        )
        node = NodeFacts(
            name=self._host,
            key=key_of(f"{fault_id}@{self._variables.get('e2e_deployment') or ''}"),
            container=bool(identity.get("container")),
            peers=peers(self._host, self._variables),
            targets=tuple(args.get("targets") or (self._host,)),
        )
        return Injection(order, node, identity, self._write)

    def _id(self, args: Mapping[str, Any]) -> str:
        named = str(args.get("id") or self._step or args.get("name") or args.get("fault"))
        return f"{named}/{self._host}"

    def _act_id(self, args: Mapping[str, Any], act: str) -> str:
        return str(args.get("id") or f"{self._step or 'by-hand'}/{self._host}:{act}")

    def _write(self, line: Line) -> None:
        append(self._ledger, line.model_copy(update={"node": self._node}))
