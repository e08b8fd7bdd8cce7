"""`validate`: observe all nodes, then hold pure checks against what was seen, until they hold or attempts end."""

from __future__ import annotations

from pydantic import Field

from e2e_ansible.compile.plan import Judgement, Replay
from e2e_ansible.judge.verdict import Cause
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType, play
from e2e_ansible.suite.model import Retry, StepOptions

__all__ = ["Validate", "ValidateOptions"]

_LOOK_SECONDS = 120


class ValidateOptions(StepOptions):
    """Checks by name; those in `allow_failures` are recorded but decide nothing."""

    checks: tuple[str, ...] = Field(min_length=1, strict=False)
    allow_failures: tuple[str, ...] = Field((), strict=False)
    retry: Retry = Field(default_factory=Retry)


class Validate(StepType[ValidateOptions]):
    """Validate the cluster."""

    name = "validate"
    summary = "Observe all nodes and check what was seen"
    options = ValidateOptions

    def compile(self, options: ValidateOptions, context: CompileContext) -> CompiledStep:
        """The role `observe` on all nodes; no predicate lives in the playbook."""
        names = {check.partition(":")[0] for check in options.checks}
        variables: dict[str, object] = {}
        if "data_integrity" in names:
            variables["observe_integrity"] = True
        if "admin_ui_accessible" in names:
            variables["observe_admin_ui"] = True
        role: dict[str, object] = {"role": "observe"}
        if variables:
            role["vars"] = variables
        waits = options.retry.max_attempts * (_LOOK_SECONDS + options.retry.delay_seconds)
        return CompiledStep(
            plays=[play("Observe all nodes", context.nodes, roles=[role])],
            hosts=context.nodes,
            deadline_seconds=waits,
            replay=Replay.REPEATABLE,
            judgement=Judgement(
                failure_cause=Cause.PRODUCT,
                observes=True,
                checks=options.checks,
                allow_failures=options.allow_failures,
                retry=options.retry,
            ),
        )
