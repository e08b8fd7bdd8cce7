"""`destroy`: remove every node and everything made for them."""

from __future__ import annotations

from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType
from e2e_ansible.steps.judgement import Judgement
from e2e_ansible.steps.provisioning import provision
from e2e_ansible.suite.model import StepOptions
from e2e_ansible.verdict import Cause

__all__ = ["Destroy"]


class Destroy(StepType[StepOptions]):
    """Remove the deployment."""

    name = "destroy"
    summary = "Remove the nodes and everything made for them"
    options = StepOptions

    def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
        """One play on the controller."""
        return CompiledStep(
            plays=[provision("absent", context)],
            hosts=("localhost",),
            deadline_seconds=1200,
            judgement=Judgement(failure_cause=Cause.CLEAN_UP),
            takes_away=context.nodes,
            removes_nodes=True,
        )
