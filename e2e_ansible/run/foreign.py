"""What checks and load tools from elsewhere make of an attempt: decided while the test runs, and written down.

A later judge may not have their code.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from e2e_ansible.checks.base import Situation
from e2e_ansible.checks.registry import custom, custom_context, evaluate, is_built_in, parse
from e2e_ansible.compile.plan import Plan, PlannedStep
from e2e_ansible.judge.attempt import checks_of, situation
from e2e_ansible.judge.entry import CustomOutcome
from e2e_ansible.judge.fold import Facts
from e2e_ansible.load import registry as load_tools
from e2e_ansible.load.result import LoadResult
from e2e_ansible.nodes.observation import Observation
from e2e_ansible.oracle.ranges import Ranges

__all__ = ["foreign_checks", "foreign_load"]


def foreign_checks(
    plan: Plan,
    step: PlannedStep,
    at: float,
    facts: Facts,
    rows: Ranges | None,
    *,
    folder: Path,
    deployment: str,
) -> dict[str, CustomOutcome]:
    """The outcome of each check of a step that is not built in, at a time in epoch seconds."""
    names = [text for text in checks_of(step) if not is_built_in(text)]
    if not names:
        return {}
    observation = Observation(at=at, nodes=tuple(facts.observations.values()))
    context = partial(
        custom_context,
        deploy_dir=str(folder),
        observation=observation,
        deployment_id=deployment,
        parameters=plan.parameters,
    )
    against = situation(plan, observation, rows)
    return {text: _outcome(text, against, context) for text in names}


def foreign_load(facts: Facts) -> LoadResult | None:
    """What a tool that is not built in makes of its output; None if none has left any."""
    output = facts.load
    return None if output is None or load_tools.is_built_in(output.tool) else load_tools.read(output)


def _outcome(text: str, against: Situation, context: Callable[[], dict[str, Any]]) -> CustomOutcome:
    check, _ = parse(text)
    function = custom(check.name)
    outcome = evaluate(text, against) if function is None else function.run(context())
    return CustomOutcome(
        passed=outcome.passed,
        message=outcome.message,
        infrastructure=outcome.infrastructure,
        allow_failure=check.allow_failure,
    )
