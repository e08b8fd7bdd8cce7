"""`create_nodes`: make the nodes and wait until they answer. Nothing is installed on them."""

from __future__ import annotations

from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType
from e2e_ansible.steps.deploy import await_plays
from e2e_ansible.steps.judgement import TRANSIENT_RETRIES, Judgement
from e2e_ansible.steps.provisioning import provision
from e2e_ansible.suite.model import StepOptions

__all__ = ["CreateNodes"]


class CreateNodes(StepType[StepOptions]):
    """Create the nodes."""

    name = "create_nodes"
    summary = "Create the nodes and wait until they answer; `install` puts services on them"
    options = StepOptions

    def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
        """What `deploy` begins with."""
        return CompiledStep(
            plays=[provision("present", context), *await_plays(context)],
            hosts=context.nodes,
            deadline_seconds=1800,
            judgement=Judgement(transient_retries=TRANSIENT_RETRIES),
            brings_back=context.nodes,
        )
