"""`validate`: observe all nodes, then hold pure checks against what was seen, until they hold or attempts end."""

from __future__ import annotations

from pydantic import Field

from e2e_ansible.checks.base import Check
from e2e_ansible.checks.registry import checks
from e2e_ansible.oracle.config import INTEGRITY
from e2e_ansible.steps.base import CompileContext, CompiledStep, StepType, play
from e2e_ansible.steps.judgement import Judgement, Replay
from e2e_ansible.suite.model import Retry, StepOptions
from e2e_ansible.verdict import Cause

__all__ = ["Validate", "ValidateOptions"]

_LOOK_SECONDS = 120


class ValidateOptions(StepOptions):
    """Checks by name; those in `allow_failures` are recorded but decide nothing."""

    checks: tuple[str, ...] = Field(
        min_length=1, strict=False, description="Checks that must all hold at the same look"
    )
    allow_failures: tuple[str, ...] = Field(
        (), strict=False, description="Checks that are recorded and decide nothing, listed in `checks` or not"
    )
    retry: Retry = Field(default_factory=Retry, description="How often to look again until the checks hold")


class Validate(StepType[ValidateOptions]):
    """Validate the cluster."""

    name = "validate"
    summary = "Observe all nodes and check what was seen"
    options = ValidateOptions

    def compile(self, options: ValidateOptions, context: CompileContext) -> CompiledStep:
        """The module `observe` on all nodes; no predicate lives in the playbook."""
        asked = _asked(options)
        integrity = any(check.needs_integrity for check in asked)
        wanted: dict[str, object] = {"new_login": any(check.needs_login for check in asked)}
        if integrity:
            wanted["integrity"] = True
        if context.parameters.database == "patroni":
            wanted["patroni"] = True
        if any(check.needs_services for check in asked):
            wanted["services"] = True
        if any(check.needs_amcheck for check in asked):
            wanted["amcheck"] = True
        if any(check.needs_admin_ui for check in asked):
            wanted["admin_ui"] = True
        # The module and not the role around it: a look is done again and again, and a role is loaded each time.
        look = {"name": "Look at the node", "observe": wanted, "become": True}
        waits = options.retry.max_attempts * (_LOOK_SECONDS + options.retry.delay_seconds)
        return CompiledStep(
            plays=[play("Observe all nodes", context.nodes, tasks=[look])],
            hosts=context.nodes,
            deadline_seconds=waits,
            replay=Replay.REPEATABLE,
            needs_writer=integrity or any(map(_of_the_implicit_client, _names(options))),
            judgement=Judgement(
                failure_cause=Cause.PRODUCT,
                observes=True,
                checks=options.checks,
                allow_failures=options.allow_failures,
                retry=options.retry,
                needs_integrity=integrity,
            ),
        )


def _asked(options: ValidateOptions) -> list[Check]:
    """The checks to hold against what is seen; a name that nobody knows needs nothing special."""
    known = checks()
    names = (text.partition(":")[0] for text in _names(options))
    return [known[name] for name in names if name in known]


def _names(options: ValidateOptions) -> tuple[str, ...]:
    return (*options.checks, *options.allow_failures)


def _of_the_implicit_client(text: str) -> bool:
    """Whether a check asks for the history of `integrity`, by its name or because writes of any client will do."""
    name, *arguments = text.split(":")
    return (INTEGRITY in arguments and name in checks()) or (name == "outage_writes" and len(arguments) == 1)
