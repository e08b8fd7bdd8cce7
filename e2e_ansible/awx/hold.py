"""The checks of a `validate` step against one look of its job, so that a workflow takes the right edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from e2e_ansible.awx.carried import Told, rows
from e2e_ansible.awx.clients import client_folder
from e2e_ansible.awx.job_variables import Asked, entry_of, options_of, refuse_unknown, runnable
from e2e_ansible.checks.base import Situation
from e2e_ansible.checks.registry import evaluate
from e2e_ansible.nodes.observation import NodeObservation, Observation
from e2e_ansible.oracle.histories import Histories
from e2e_ansible.providers.home import default_home
from e2e_ansible.steps.validate import ValidateOptions

__all__ = ["hold"]

_LABELS = ("database",)


def hold(
    asked: Asked,
    observations: Sequence[Mapping[str, Any]],
    at: float,
    nodes: Sequence[str] = (),
    told: Told | None = None,
) -> dict[str, Any]:
    """Hold the checks of a `validate` step against one look, as the judge of a run does.

    `nodes` are those expected, the first of them the primary; without any they follow from the size of the cluster.
    `told` is what is known of the clients. `held` is true when none of those that decide fails; `said` is a line for
    each.

    Raises:
        UsageError: an unknown option, node or check; the hint names the nearest right one.
        HarnessError: a history cannot be read.
    """
    told = told or Told()
    histories = Histories(client_folder(default_home(), asked.deployment))
    entry = entry_of(asked)
    kind = runnable()[asked.step]
    options = options_of(kind, asked)
    refuse_unknown(kind, options, {})
    assert isinstance(options, ValidateOptions)
    expected = tuple(nodes) or entry.nodes
    seen = Situation(
        observation=Observation(
            at=at, nodes=tuple(NodeObservation.model_validate(each) for each in observations)
        ),
        expected={name: entry.labels.get(name, _LABELS) for name in expected},
        database=entry.parameters.database,
        primary=expected[0] if expected else "",
        acknowledged=rows(histories, told),
        histories=histories.at(told.sizes),
    )
    said, held = [told.trouble] * bool(told.trouble), not told.trouble
    for name in dict.fromkeys((*options.checks, *options.allow_failures)):
        outcome = evaluate(name, seen)
        word = {True: "holds", False: "does not hold", None: "is not decided"}[outcome.passed]
        held = held and (outcome.passed is True or name in options.allow_failures)
        said.append(f"{name} {word}: {outcome.message}")
    return {"held": held, "said": said}
