"""`heal`: undo faults that are open. A heal that is not proved is a failure of the clean-up."""

from __future__ import annotations

from pydantic import Field

from e2e_ansible.steps.base import CompileContext, CompiledStep, Play, StepType, play
from e2e_ansible.steps.judgement import Judgement, Replay
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.verdict import Verdict

__all__ = ["HealOptions", "HealStep", "heal_play"]

ALL = "all"
_STEP_SECONDS = 600


class HealOptions(StepOptions):
    """Which faults."""

    fault: str = Field(ALL, description="Name of a step fault, or of the fault itself; all: whatever is open")


class HealStep(StepType[HealOptions]):
    """Undo faults."""

    name = "heal"
    summary = "Undo a fault, or all that are open; each is proved to be gone"
    options = HealOptions

    def compile(self, options: HealOptions, context: CompileContext) -> CompiledStep:
        """The role `fault` with the phase heal, on all nodes: the ledger knows which of them have one."""
        name = "" if options.fault == ALL else options.fault
        back = [node for node, names in context.felled.items() if not name or name in names]
        return CompiledStep(
            plays=[heal_play(context.nodes, name)],
            hosts=context.nodes,
            brings_back=tuple(back),
            deadline_seconds=_STEP_SECONDS,
            replay=Replay.REPEATABLE,
            judgement=Judgement(proofs=context.nodes, unproved=Verdict.FAIL),
        )


def heal_play(nodes: tuple[str, ...], name: str = "") -> Play:
    """The play that heals; without a name, all that is open."""
    variables = {"fault_phase": "heal", **({"fault_title": name} if name else {})}
    title = f"Heal {name}" if name else "Heal all faults"
    return play(title, nodes, roles=[{"role": "fault", "vars": variables}])
