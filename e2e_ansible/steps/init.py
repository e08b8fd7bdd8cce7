"""`init`: fix names, addresses, keys and images of the deployment. No node is created."""

from __future__ import annotations

from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType
from e2e_ansible.steps.judgement import TRANSIENT_RETRIES, Judgement, Replay
from e2e_ansible.steps.provisioning import provision
from e2e_ansible.suite.model import StepOptions

__all__ = ["Init"]


class Init(StepType[StepOptions]):
    """Prepare the deployment."""

    name = "init"
    summary = "Prepare the deployment: names, addresses, keys, node image"
    options = StepOptions

    def compile(self, options: StepOptions, context: CompileContext) -> CompiledStep:
        """One play on the controller."""
        return CompiledStep(
            plays=[provision("prepared", context)],
            hosts=("localhost",),
            deadline_seconds=1800,
            replay=Replay.REPEATABLE,
            judgement=Judgement(transient_retries=TRANSIENT_RETRIES),
        )
