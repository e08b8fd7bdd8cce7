"""What a run that died has already done of a fault or a crash, so that it is not done a second time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e_ansible.errors import HarnessError
from e2e_ansible.faults.base import ShellFault
from e2e_ansible.faults.hands import Hands
from e2e_ansible.faults.heal import heal_shell
from e2e_ansible.faults.inject import Injection, inject
from e2e_ansible.faults.ledger import VARIABLE, FaultRecord, Line, append, lines, read
from e2e_ansible.faults.registry import fault_named, options_of
from e2e_ansible.faults.script import script
from e2e_ansible.nodes.awaiting import Proof, Until, Wait
from e2e_ansible.nodes.guard import Identity
from e2e_ansible.nodes.resumed import RESUMED, resumed

__all__ = ["RESUMED", "Choice", "begun", "choice", "inject_again", "keep_choice", "resumed", "verify"]

_PENDING_SECONDS = 5.0  # an act that was sent to a node begins a moment after the connection has ended
_ENDS = {
    "crash_node": Until.OFF_OR_REBOOTED,
    "nmi": Until.OFF_OR_REBOOTED,
    "off": Until.OFF,
    "hard_off": Until.OFF,
}
Result = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """The nodes that were chosen for a fault: those that it is about, and those that it is injected on."""

    targets: tuple[str, ...]
    hosts: tuple[str, ...]


def keep_choice(environment: Mapping[str, str], made: Choice) -> None:
    """Write the choice of a step of a run into its ledger, before anything is done by it.

    Raises:
        OSError: it could not be written.
    """
    if environment.get(VARIABLE):
        step = environment.get("E2E_STEP", "")
        options = {"targets": list(made.targets), "hosts": list(made.hosts)}
        line = Line(at=time.time(), fault_id=f"{step}/chosen", event="chosen", step=step, options=options)
        append(Path(environment[VARIABLE]), line)


def choice(environment: Mapping[str, str]) -> Choice | None:
    """What the step had chosen before the run died; None if the run had not, or is none that goes on.

    Raises:
        HarnessError: the ledger cannot be read.
    """
    if not resumed(environment) or not environment.get(VARIABLE):
        return None
    step = environment.get("E2E_STEP", "")
    found = [
        line for line in lines(Path(environment[VARIABLE])) if line.event == "chosen" and line.step == step
    ]
    if not found:
        return None
    options = found[-1].options
    return Choice(tuple(options["targets"]), tuple(options["hosts"]))


def begun(environment: Mapping[str, str], ledger: Path, fault_id: str) -> FaultRecord | None:
    """The fault or act of this id that a run which died had begun; None if there is none.

    Raises:
        HarnessError: the ledger cannot be read.
    """
    found: Iterable[FaultRecord] = read(ledger) if resumed(environment) else ()
    return next((record for record in found if record.id == fault_id), None)


def verify(
    record: FaultRecord | None,
    act: str,
    wait: Callable[[Wait], Proof],
    reachable: Callable[[], bool],
    seconds: float,
) -> Result:
    """Whether an act that ends a boot was done: by the boot that was to end, as the ledger has it.

    A node that answers from that boot, also a moment later, was not hit. One that does not answer is waited for.
    """
    nothing: Result = {"changed": False, "done": False, "since": [], "reachable": True}
    if record is None or record.before is None:
        return nothing
    since = Identity.model_validate(record.before).boot
    until = _ENDS.get(act, Until.REBOOTED)
    name = act.removesuffix("_node")
    proof = wait(Wait(until=until, act=name, since=since, deadline_seconds=_PENDING_SECONDS))
    answers = not proof.proved and reachable()
    if not proof.proved and not answers:
        proof = wait(Wait(until=until, act=name, since=since, deadline_seconds=seconds))
        answers = not proof.proved and reachable()
    found: Result = {
        **nothing,
        "done": proof.proved,
        "since": list(since),
        "reachable": answers or proof.proved,
    }
    if proof.proved:
        how = f"{proof.how}, which is not the boot in the ledger: it was done before the run died"
        found["e2e_proof"] = {**proof.model_dump(mode="json"), "how": how}
    return found


def inject_again(record: FaultRecord | None, injection: Injection, hands: Hands) -> Result:
    """Inject a fault of the shell, unless that was done: then its effect is proved. Half of one is healed first.

    Raises:
        UsageError: there is no such fault, or an option is wrong.
        OSError: the ledger could not be written.
    """
    if record is None:
        return inject(injection, hands)
    if record.healed is not None and record.effect_proved:
        return _done(injection, f"{record.message}; injected and healed before the run died")
    if record.open:
        effect = _effect(injection, hands)
        if effect:
            injection.write(injection.line("effect", proved=True, message=effect))
            return _done(injection, f"{effect}; injected before the run died")
        healed = heal_shell(record.heal or {}, hands)
        event = "healed" if healed.code == 0 else "failed"
        injection.write(injection.line(event, proved=healed.code == 0, message=healed.said))
        if healed.code != 0:
            return {
                "failed": True,
                "changed": True,
                "msg": f"half of the fault is there and not healed: {healed.said}",
            }
    return inject(injection, hands)


def _effect(injection: Injection, hands: Hands) -> str:
    """How the effect is proved now; '' when it is not."""
    fault = fault_named(injection.order.fault)
    if not isinstance(fault, ShellFault):
        raise HarnessError(f"{fault.name} is no fault of the shell")
    programs = fault.programs(options_of(fault, injection.order.options), injection.node)
    text = script(programs.effect, injection.machine, injection.node.key)
    done = hands.run_until(text, fault.effect_seconds, fresh=fault.fresh_login)
    return done.said if done.code == 0 else ""


def _done(injection: Injection, how: str) -> Result:
    proof = {"act": f"fault {injection.order.fault}", "proved": True, "how": how, "seconds": 0.0}
    return {"changed": False, "e2e_proof": proof, "fault_id": injection.order.id}
